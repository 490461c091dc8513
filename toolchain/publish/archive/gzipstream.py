"""One gzip member, decompressed within bounds: no second member, nothing behind it, no bomb."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final

from toolchain.publish.archive.model import ArchiveLimits, ArchiveRefused

_CHUNK: Final = 256 << 10
_RATIO_FROM: Final = 32 << 20
_HEADER: Final = 10
_NAMED: Final = 8  # FNAME, which gzip and Python's tarfile write; nothing else of the header is in use


class GzipStream:
    """Reads a compressed file once, hashing what it reads: ``sha256`` and ``size`` are of the compressed bytes."""

    def __init__(self, source: BinaryIO, limits: ArchiveLimits) -> None:
        self._source = source
        self._limits = limits
        self._digest = hashlib.sha256()
        self.size = 0

    @property
    def sha256(self) -> str:
        """SHA-256 of what was read so far."""
        return self._digest.hexdigest()

    def chunks(self) -> Iterator[bytes]:
        """The decompressed bytes, at most 256 KiB at a time. Raises ``ArchiveRefused``."""
        decoder = zlib.decompressobj(31)
        given = 0
        data = self._read()
        _check_header(data)
        while True:
            try:
                out = decoder.decompress(data, _CHUNK)
            except zlib.error as reason:
                raise ArchiveRefused("gzip-corrupt", f"the compressed data is damaged: {reason}") from None
            given += len(out)
            self._check_ratio(given)
            if out:
                yield out
            if decoder.eof:
                break
            data = decoder.unconsumed_tail or self._read()
            if not data and not out:
                raise ArchiveRefused("truncated", "the compressed data ends early")
        self._check_end(decoder.unused_data)

    def _read(self) -> bytes:
        data = self._source.read(_CHUNK)
        self._digest.update(data)
        self.size += len(data)
        if self.size > self._limits.archive_bytes:
            raise ArchiveRefused("too-large", f"more than {self._limits.archive_bytes >> 20} MiB")
        return data

    def _check_ratio(self, given: int) -> None:
        if given > _RATIO_FROM and given > self._limits.ratio * self.size:
            message = f"it unpacks to more than {self._limits.ratio} times its size"
            raise ArchiveRefused("bomb", message)

    def _check_end(self, rest: bytes) -> None:
        rest = rest or self._read()
        if rest.startswith(b"\x1f\x8b"):
            raise ArchiveRefused("multi-member", "a second gzip member follows the first")
        if rest:
            raise ArchiveRefused("trailing-bytes", "bytes follow the compressed data")


def _check_header(data: bytes) -> None:
    if data[:2] != b"\x1f\x8b" or len(data) < _HEADER:
        raise ArchiveRefused("not-gzip", "not a gzip file")
    if data[2] != 8 or data[3] & ~_NAMED:
        raise ArchiveRefused("gzip-header", "the gzip header has fields that not every program reads")
