"""Writes the canonical archive: the same files give the same tar, whoever packs them, where and when."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from toolchain.core.errors import PluginFault
from toolchain.core.tarball import END, FileChanged, FilePart, Part, chunks, file_parts
from toolchain.publish.archive.model import Format

_LEVEL: Final = 6
_ZIP_EPOCH: Final = (1980, 1, 1, 0, 0, 0)
_REGULAR: Final = 0o100000

Progress = Callable[[int], None]


@dataclass(frozen=True)
class ArchiveFile:
    """A file to pack: its name below the top folder (``/``, NFC), where it lies, its size and executable bit."""

    name: str
    path: Path
    size: int
    executable: bool = False


def write_archive(
    top: str, files: Sequence[ArchiveFile], stream: BinaryIO, form: Format, progress: Progress | None = None
) -> None:
    """Write ``files`` under the folder ``top`` into ``stream``; ``progress`` gets the bytes read so far.

    The tar holds regular files only, sorted by name, 0644 or 0755, user and group 0, the epoch as time. Memory
    does not grow with the files. Raises ``PluginFault`` for a file that changes meanwhile.
    """
    ordered = sorted(files, key=lambda file: file.name)
    try:
        if form == "zip":
            _write_zip(top, ordered, stream, progress)
        else:
            stream.writelines(_compressed(_counted(chunks(_tar_parts(top, ordered)), progress)))
    except FileChanged as reason:
        raise PluginFault(
            f"a file changed while it was packed: {reason.args[1]}",
            where=str(reason.args[0]),
            remedy="let the folder rest, then run the same command again",
        ) from reason


def _tar_parts(top: str, ordered: Iterable[ArchiveFile]) -> Iterator[Part]:
    for file in ordered:
        yield from file_parts(f"{top}/{file.name}", FilePart(file.path, file.size), executable=file.executable)
    yield END


def _compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    # zlib's own gzip header: no name, no time. The body may differ between zlib's versions; the tar may not.
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def _counted(pieces: Iterable[bytes], progress: Progress | None) -> Iterator[bytes]:
    done = 0
    for piece in pieces:
        done += len(piece)
        if progress is not None:
            progress(done)
        yield piece


def _write_zip(top: str, ordered: Iterable[ArchiveFile], stream: BinaryIO, progress: Progress | None) -> None:
    done = 0
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for file in ordered:
            entry = zipfile.ZipInfo(f"{top}/{file.name}", _ZIP_EPOCH)
            entry.create_system = 3  # Unix: the mode below counts
            entry.external_attr = (_REGULAR | (0o755 if file.executable else 0o644)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.file_size = file.size
            with archive.open(entry, "w") as member:
                for piece in chunks([FilePart(file.path, file.size)]):
                    member.write(piece)
                    done += len(piece)
                    if progress is not None:
                        progress(done)
