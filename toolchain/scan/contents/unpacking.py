"""Decompresses a stream step by step, so that a small file cannot become a large one unnoticed."""

from __future__ import annotations

import bz2
import lzma
import zlib
from typing import Protocol

from toolchain.scan.contents.model import Reading, TooLarge

_STEP = 1 << 16
_XZ_MEMORY = 128 << 20  # what a stream's header may ask for; xz -9 needs 65 MiB


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Zlib:
    """zlib's object in the manner of those of bz2 and lzma."""

    def __init__(self, window: int) -> None:
        self._inner = zlib.decompressobj(window)

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max_length)


def _decompressor(kind: str) -> _Decompressor:
    if kind == "bzip2":
        return bz2.BZ2Decompressor()
    if kind == "xz":
        return lzma.LZMADecompressor(memlimit=_XZ_MEMORY)
    return _Zlib(31 if kind == "gzip" else 15)


class Unpacked:
    """The content of compressed ``data`` (gzip, zlib, bzip2, xz), read in order.

    ``read`` raises ``TooLarge`` when the content outgrows what a scan reads, ``EOFError`` when the stream is cut
    short, and the decompressor's own error when it is damaged.
    """

    def __init__(self, data: bytes, kind: str, reading: Reading) -> None:
        self._data = memoryview(data)
        self._kind = kind
        self._reading = reading
        self._position = 0
        self._total = 0
        self._inner = _decompressor(kind)

    def read(self, size: int) -> bytes:
        """At most ``size`` bytes; empty at the end."""
        while True:
            if self._inner.eof and not self._next_member():
                return b""
            chunk = b""
            if self._inner.needs_input:
                chunk = bytes(self._data[self._position : self._position + _STEP])
                self._position += len(chunk)
            out = self._inner.decompress(chunk, size)
            if out:
                self._count(len(out))
                return out
            if not chunk and self._inner.needs_input and not self._inner.eof:
                raise EOFError("compressed data that is cut short")

    def _next_member(self) -> bool:
        """gzip, bzip2 and xz streams may follow one another; what follows otherwise must be padding."""
        self._position -= len(self._inner.unused_data)
        rest = bytes(self._data[self._position : self._position + 6])
        if rest.startswith((b"\x1f\x8b", b"BZh", b"\xfd7zXZ")):
            self._inner = _decompressor(self._kind)
            return True
        if self._data[self._position :].tobytes().strip(b"\0"):
            raise EOFError("other data after the end of compressed data")
        return False

    def _count(self, size: int) -> None:
        self._reading.tick()
        self._total += size
        limits = self._reading.limits
        inflated = self._total > limits.ratio_floor and self._total > limits.ratio * max(self._position, 1)
        if inflated or self._total > limits.total_bytes:
            raise TooLarge
