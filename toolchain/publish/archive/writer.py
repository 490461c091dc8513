"""Writes the canonical archive: the same files give the same tar, whoever packs them, where and when."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from toolchain.core.digests import sha256_stream
from toolchain.core.errors import PluginFault
from toolchain.core.tarball import END, FileChanged, FilePart, chunks, file_parts
from toolchain.publish.archive.model import ArchiveReading, Format, Member, files_digest

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
) -> ArchiveReading:
    """Write ``files`` under the folder ``top`` into ``stream`` and say of it what ``read_archive`` would.

    ``stream`` is empty; for a zip it can be read and can seek.

    The tar holds regular files only, sorted by name, 0644 or 0755, user and group 0, the epoch as time. Memory
    does not grow with the files. ``progress`` gets the bytes read so far. Raises ``PluginFault`` for a file that
    changes meanwhile.
    """
    content = _Content(top, sorted(files, key=lambda file: file.name), progress)
    try:
        if form == "zip":
            archive_sha256, size = _write_zip(top, content, stream)
        else:
            archive_sha256, size = _write_tar(content, stream)
    except FileChanged as reason:
        raise PluginFault(
            f"a file changed while it was packed: {reason.args[1]}",
            where=str(reason.args[0]),
            remedy="let the folder rest, then run the same command again",
        ) from reason
    return ArchiveReading(
        format=form,
        top=top,
        members=tuple(content.members),
        archive_sha256=archive_sha256,
        archive_bytes=size,
        tar_sha256=content.tar.hexdigest(),
        files_sha256=files_digest(content.members),
        canonical=True,
    )


class _Content:
    """Reads every file once, hashing it and the canonical tar around it."""

    def __init__(self, top: str, files: Sequence[ArchiveFile], progress: Progress | None) -> None:
        self.files = files
        self.members: list[Member] = []
        self.tar = hashlib.sha256()
        self._top = top
        self._progress = progress
        self._done = 0

    def frame(self, file: ArchiveFile) -> tuple[bytes, bytes]:
        """A file's header and padding in the tar."""
        part = FilePart(file.path, file.size)
        head, _, fill = file_parts(f"{self._top}/{file.name}", part, executable=file.executable)
        assert isinstance(head, bytes)
        assert isinstance(fill, bytes)
        return head, fill

    def read(self, file: ArchiveFile) -> Iterator[bytes]:
        """The content of one file; the files must be read in their order. Raises ``FileChanged``."""
        head, fill = self.frame(file)
        digest = hashlib.sha256()
        self.tar.update(head)
        for piece in chunks([FilePart(file.path, file.size)]):
            digest.update(piece)
            self.tar.update(piece)
            self._done += len(piece)
            if self._progress is not None:
                self._progress(self._done)
            yield piece
        self.tar.update(fill)
        self.members.append(Member(file.name, file.size, file.executable, digest.hexdigest()))


def _write_tar(content: _Content, stream: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for piece in _compressed(_tar(content)):
        digest.update(piece)
        size += len(piece)
        stream.write(piece)
    return digest.hexdigest(), size


def _tar(content: _Content) -> Iterator[bytes]:
    for file in content.files:
        head, fill = content.frame(file)
        yield head
        yield from content.read(file)
        yield fill
    content.tar.update(END)
    yield END


def _compressed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    # zlib's own gzip header: no name, no time. The body may differ between zlib's versions; the tar may not.
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, 31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def _write_zip(top: str, content: _Content, stream: BinaryIO) -> tuple[str, int]:
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as archive:
        for file in content.files:
            entry = zipfile.ZipInfo(f"{top}/{file.name}", _ZIP_EPOCH)
            entry.create_system = 3  # Unix: the mode below counts
            entry.external_attr = (_REGULAR | (0o755 if file.executable else 0o644)) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.file_size = file.size
            with archive.open(entry, "w") as member:
                for piece in content.read(file):
                    member.write(piece)
    content.tar.update(END)
    stream.seek(0)
    return sha256_stream(stream)
