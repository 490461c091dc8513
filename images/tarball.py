"""Deterministic tar: our own headers, so that the bytes depend on no clock, user, umask or Python version."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)
_CHUNK: Final = 1 << 20
_SIZE_LIMIT: Final = 8 << 30  # what eleven octal digits hold

Part = Path | bytes


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


def parents(name: str) -> list[str]:
    """The directories above ``name``, outermost first."""
    return [str(path) for path in reversed(PurePosixPath(name).parents)][1:]


def chunks(parts: Iterable[Part]) -> Iterator[bytes]:
    """The bytes of ``parts`` one after the other, at most 1 MiB at a time."""
    for part in parts:
        if isinstance(part, bytes):
            yield part
            continue
        with part.open("rb", buffering=0) as stream:
            while chunk := stream.read(_CHUNK):
                yield chunk


def total_size(parts: Iterable[Part]) -> int:
    """Length in bytes of ``parts`` together."""
    return sum(len(part) if isinstance(part, bytes) else os.stat(part).st_size for part in parts)


def header(
    name: str, size: int, kind: bytes, mode: int, *, link: str = "", owner: tuple[int, int] = (0, 0)
) -> bytes:
    """One entry's header: ``kind`` is tar's type letter, ``owner`` user and group id."""
    path, target = name.encode(), link.encode()
    records = b""
    if len(path) > 100 or not name.isascii():
        records += _pax_record("path", name)
    if len(target) > 100 or not link.isascii():
        records += _pax_record("linkpath", link)
    block = _block(path[:100], target[:100], size, kind, mode, owner)
    if not records:
        return block
    # A pax record carries what the plain field cannot; the field itself then only serves old readers.
    extended = _block(b"././@PaxHeader", b"", len(records), b"x", 0o644, (0, 0))
    return extended + records + padding(len(records)) + block


def _pax_record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return str(length).encode() + body


def _block(name: bytes, link: bytes, size: int, kind: bytes, mode: int, owner: tuple[int, int]) -> bytes:  # noqa: PLR0913
    fields = (
        name.ljust(100, b"\0"),
        b"%07o\0%07o\0%07o\0" % (mode, *owner),
        b"%011o\0" % size,
        b"00000000000\0",  # modification time: the epoch
        b" " * 8,  # checksum, counted as spaces
        kind,
        link.ljust(100, b"\0"),
        b"ustar\x0000",
        bytes(64),
        b"0000000\0" * 2,
        bytes(167),
    )
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
