"""What single files of kept archives hold, without fetching an archive for each of its files."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from registry.settings import Limits
from registry.storage import KeptArchive, Storage, fetch_kept
from toolchain.publish.archive import ArchiveLimits, read_archive

# The bounds of what is remembered: 8 archives, of each the first 8 MiB of its small files, 64 MiB in all.
_ARCHIVES = 8
_BYTES = 8 << 20
SMALL = 512 << 10
"""Bytes of the largest file that is remembered."""


class Contents:
    """Files of kept archives. The small ones of the archives that were asked for last are remembered.

    An archive is named by its digest and never changes, so what is remembered of it stays true.
    """

    def __init__(self, storage: Storage, limits: Limits, scratch: Path) -> None:
        self._storage, self._scratch = storage, scratch
        self._bounds = ArchiveLimits(limits.archive_bytes, limits.extracted_bytes, limits.files)
        self._remembered = lru_cache(_ARCHIVES)(self._read)

    def file(self, kept: KeptArchive, files: Sequence[Sequence[Any]], name: str) -> bytes:
        """The bytes of one file; ``files`` is the archive's list: name and size in bytes first.

        Raises ``StorageFault`` for an archive that is gone or another, ``KeyError`` for a file that is not in it.
        """
        small = _small(files)
        if name in small:
            return self._remembered(kept, small)[name]
        return self._read(kept, (name,))[name]

    def _read(self, kept: KeptArchive, names: tuple[str, ...]) -> Mapping[str, bytes]:
        found = {name: io.BytesIO() for name in names}
        with (
            TemporaryDirectory(prefix="review-", dir=self._scratch) as folder,
            Path(os.devnull).open("wb") as nowhere,
        ):

            @contextmanager
            def place(name: str, _executable: bool) -> Iterator[BinaryIO]:
                yield found.get(name, nowhere)

            read_archive(fetch_kept(self._storage, kept, Path(folder) / "archive"), self._bounds, place)
        return {name: stream.getvalue() for name, stream in found.items()}


def _small(files: Sequence[Sequence[Any]]) -> tuple[str, ...]:
    """The first files that are small, as far as they are remembered."""
    names, left = [], _BYTES
    for name, size, *_ in files:
        if size <= min(SMALL, left):
            names.append(name)
            left -= size
    return tuple(names)
