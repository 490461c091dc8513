"""Deterministic tar: our own headers, so that the bytes depend on no clock, user, umask or Python version."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
_CHUNK: Final = 1 << 20
_SIZE_LIMIT: Final = 8 << 30  # what eleven octal digits hold


@dataclass(frozen=True)
class FilePart:
    """A whole file of ``size`` bytes as part of a tar, or ``partial``: as many bytes of it from ``start`` on."""

    path: Path
    size: int
    start: int = 0
    partial: bool = False


Part = FilePart | bytes


class FileChanged(Exception):
    """A file no longer has the size that its header promises, or became a link; ``args[0]`` is its path."""


def file_part(path: Path) -> FilePart:
    """The file at ``path`` with the size it has now."""
    return FilePart(path, path.stat().st_size)


def file_header(name: str, size: int, *, executable: bool = False) -> bytes:
    """The header of a regular file of ``size`` bytes; its content and ``padding`` follow."""
    if size >= _SIZE_LIMIT:
        raise ValueError(f"{name} is larger than 8 GiB")
    return header(name, size, b"0", 0o755 if executable else 0o644)


def directory_header(name: str) -> bytes:
    """The header of a directory; ``name`` without a slash at its end."""
    return header(name + "/", 0, b"5", 0o755)


def padding(size: int) -> bytes:
    """Zeros that fill ``size`` bytes of content up to a whole block."""
    return bytes(-size % BLOCK)


def file_entry(name: str, data: bytes, *, executable: bool = False) -> bytes:
    """A whole regular file."""
    return b"".join((file_header(name, len(data), executable=executable), data, padding(len(data))))


def file_parts(name: str, part: FilePart, *, executable: bool = False) -> tuple[Part, Part, Part]:
    """A whole regular file whose content stays on disk until it is read."""
    return file_header(name, part.size, executable=executable), part, padding(part.size)


def parents(name: str) -> list[str]:
    """The directories above ``name``, outermost first."""
    return [str(path) for path in reversed(PurePosixPath(name).parents)][1:]


def chunks(parts: Iterable[Part]) -> Iterator[bytes]:
    """The bytes of ``parts`` one after the other, at most 1 MiB at a time. Raises ``FileChanged``."""
    for part in parts:
        if isinstance(part, bytes):
            yield part
        else:
            yield from _file_chunks(part)


def total_size(parts: Iterable[Part]) -> int:
    """Length in bytes of ``parts`` together."""
    return sum(len(part) if isinstance(part, bytes) else part.size for part in parts)


def _file_chunks(part: FilePart) -> Iterator[bytes]:
    left = part.size
    try:
        # What was a file when it was listed may be a link by now: it is not followed out of its folder.
        with os.fdopen(os.open(part.path, os.O_RDONLY | os.O_NOFOLLOW), "rb", buffering=0) as stream:
            stream.seek(part.start)
            while left and (chunk := stream.read(min(_CHUNK, left))):
                left -= len(chunk)
                yield chunk
            grown = not part.partial and stream.read(1)
    except OSError as reason:
        raise FileChanged(str(part.path), reason.strerror) from reason
    if left or grown:
        raise FileChanged(str(part.path), "its size changed")


def header(  # noqa: PLR0913 - the fields of a tar header
    name: str, size: int, kind: bytes, mode: int, *, link: str = "", owner: int = 0, group: int = 0
) -> bytes:
    """One entry's header: ``kind`` is tar's type letter."""
    path, target = name.encode(), link.encode()
    records = b""
    if len(path) > 100 or not name.isascii():
        records += _pax_record("path", name)
    if len(target) > 100 or not link.isascii():
        records += _pax_record("linkpath", link)
    block = _block(path, target, kind, (mode, owner, group, size))
    if not records:
        return block
    # A pax record carries what the plain field cannot; the field itself then only serves old readers.
    extended = _block(b"././@PaxHeader", b"", b"x", (0o644, 0, 0, len(records)))
    return extended + records + padding(len(records)) + block


def _pax_record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def _block(name: bytes, link: bytes, kind: bytes, numbers: tuple[int, int, int, int]) -> bytes:
    """One header block; ``numbers`` are mode, owner, group and size."""
    fields = (
        name[:100].ljust(100, b"\0"),
        b"%07o\0%07o\0%07o\0%011o\0" % numbers,
        b"00000000000\0",  # modification time: the epoch
        b" " * 8,  # checksum, counted as spaces
        kind,
        link[:100].ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(64),
        b"0000000\0" * 2,
        bytes(167),
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
