"""Reads what a waiting call points to in its process's memory: bounded, and as untrusted as anything there."""

from __future__ import annotations

import os
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

_PAGE = 4096
_TEXT = 1024
_WORDS = 24
_POINTER = struct.Struct("=Q")
UNREADABLE = "(not readable)"
AT_FDCWD = -100


class Memory:
    """The memory of the process that a thread belongs to. A context manager; reading fails softly."""

    def __init__(self, thread: int) -> None:
        self._thread = thread
        self._descriptor = -1

    def __enter__(self) -> Self:
        with suppress(OSError):
            self._descriptor = os.open(f"/proc/{self._thread}/mem", os.O_RDONLY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)

    def read(self, address: int, length: int) -> bytes:
        """Up to ``length`` bytes; nothing where the address leads nowhere."""
        with suppress(OSError, OverflowError):
            return os.pread(self._descriptor, length, address)
        return b""

    def text(self, address: int, limit: int = _TEXT) -> str | None:
        """The text at an address, cut at ``limit`` bytes; ``None`` where it cannot be read.

        No read crosses a page before it must: the next page may not be there.
        """
        found = b""
        while address and len(found) < limit:
            piece = self.read(
                address + len(found), min(_PAGE - (address + len(found)) % _PAGE, limit - len(found))
            )
            end = piece.find(b"\0")
            if end >= 0:
                return os.fsdecode(found + piece[:end])
            if not piece:
                return None
            found += piece
        return os.fsdecode(found) if found else None

    def words(self, address: int) -> list[str]:
        """The texts of a list of pointers that ends in a null, such as argv; the first few."""
        found: list[str] = []
        while address and len(found) < _WORDS:
            pointer = self.pointer(address)
            if not pointer:
                return found
            found.append(self.text(pointer, 256) or UNREADABLE)
            address += _POINTER.size
        return [*found, "…"] if found else found

    def pointer(self, address: int) -> int:
        """The pointer at an address, 0 where there is none."""
        data = self.read(address, _POINTER.size)
        return int(_POINTER.unpack(data)[0]) if len(data) == _POINTER.size else 0

    def path(self, directory: int, address: int) -> str:
        """The absolute path that a file name at an address means, ``..`` resolved, links not."""
        name = self.text(address, _PAGE)
        if name is None:
            return UNREADABLE
        if name.startswith("/"):
            return _tidy(name, self._thread)
        signed = directory - (1 << 32) if directory >= 1 << 31 else directory
        base = "cwd" if signed == AT_FDCWD else f"fd/{signed}"
        return _tidy(os.path.join(self.link(base), name), self._thread)  # noqa: PTH118 - not a path of ours

    def link(self, name: str) -> str:
        """What a link in the process's folder in /proc leads to."""
        with suppress(OSError):
            return os.readlink(f"/proc/{self._thread}/{name}")  # noqa: PTH115 - a text such as "memfd:x (deleted)"
        return UNREADABLE


def address(data: bytes) -> tuple[str, str, int] | None:
    """A ``struct sockaddr`` as (family, host or path, port); ``None`` for families without hosts."""
    if len(data) < 2:
        return None
    (family,) = struct.unpack_from("=H", data)
    if family == socket.AF_UNIX:
        path = data[2:].lstrip(b"\0") if data[2:3] == b"\0" else data[2:]
        return "unix", os.fsdecode(path.split(b"\0")[0]), 0
    if family == socket.AF_INET and len(data) >= 8:
        return "ip", socket.inet_ntop(socket.AF_INET, data[4:8]), int.from_bytes(data[2:4], "big")
    if family == socket.AF_INET6 and len(data) >= 24:
        return "ip", socket.inet_ntop(socket.AF_INET6, data[8:24]), int.from_bytes(data[2:4], "big")
    return None


def question(data: bytes) -> str | None:
    """The name that a DNS message asks for (RFC 1035, 4.1); ``None`` where it is no question."""
    labels: list[str] = []
    at = 12  # behind the header
    while at < len(data) and (length := data[at]):
        if length > 63 or at + length >= len(data) or len(labels) > 40:
            return None
        labels.append(data[at + 1 : at + 1 + length].decode("ascii", "replace"))
        at += length + 1
    return ".".join(labels) if labels and at < len(data) else None


def _tidy(path: str, thread: int) -> str:
    tidy = os.path.normpath(path)
    tidy = tidy[1:] if tidy.startswith("//") else tidy
    for own in (f"/proc/{thread}/", "/proc/thread-self/"):
        if tidy.startswith(own):
            return f"/proc/self/{tidy[len(own) :]}"
    return tidy
