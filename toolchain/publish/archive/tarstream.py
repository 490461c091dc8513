"""Reads a tar as a stream with fixed memory and says whether it is the canonical one of its members."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Final

from toolchain.core.tarball import BLOCK, file_header
from toolchain.publish.archive.headers import Header, read_header, read_pax
from toolchain.publish.archive.model import ArchiveLimits, ArchiveRefused, Member, Sink
from toolchain.publish.archive.names import MemberNames

_PAX_LIMIT: Final = 8 << 10
_ZERO: Final = bytes(BLOCK)
# tar fills its last record; 20 blocks are the custom, and more would only hide something.
_FILL_LIMIT: Final = 40 * BLOCK


class TarStream:
    """A tar in ``chunks``, read once; what it was is known when ``members`` is exhausted."""

    def __init__(self, chunks: Iterator[bytes], limits: ArchiveLimits) -> None:
        self._chunks = chunks
        self._limits = limits
        self._pending = b""
        self._digest = hashlib.sha256()
        self._extracted = 0
        self.names = MemberNames(limits)
        self.canonical = True

    @property
    def sha256(self) -> str:
        """SHA-256 of the tar read so far."""
        return self._digest.hexdigest()

    def members(self, sink: Sink | None) -> Iterator[Member]:
        """Every regular file; its content goes to ``sink``. Raises ``ArchiveRefused``."""
        last = b""
        while True:
            block = self._take(BLOCK)
            if block == _ZERO:
                self._check_end()
                return
            raw, header = self._entry(block)
            if header.kind == b"5":
                self.names.add_folder(header.name)
                self.canonical = False
                continue
            name = self.names.add_file(header.name)
            self._check_canonical(raw, header, last)
            last = header.name
            yield self._file(name, header, sink)

    def _entry(self, block: bytes) -> tuple[bytes, Header]:
        """The raw bytes of a header with its pax records, and what they say together."""
        header = read_header(block)
        if header.kind != b"x":
            return block, header
        if header.size > _PAX_LIMIT:
            raise ArchiveRefused("pax-size", f"pax records of more than {_PAX_LIMIT >> 10} KiB")
        records = self._take(header.size)
        fill = self._take(-header.size % BLOCK)
        if fill.strip(b"\0"):
            raise ArchiveRefused("padding", "bytes hide behind pax records")
        path = read_pax(records)
        following = self._take(BLOCK)
        real = read_header(following)
        if real.kind == b"x":
            raise ArchiveRefused("pax-malformed", "pax records follow pax records")
        return block + records + fill + following, Header(path or real.name, real.size, real.kind, real.executable)

    def _file(self, name: str, header: Header, sink: Sink | None) -> Member:
        self._extracted += header.size
        if self._extracted > self._limits.extracted_bytes:
            raise ArchiveRefused("too-large", f"it unpacks to more than {self._limits.extracted_bytes >> 20} MiB")
        digest = hashlib.sha256()
        with sink(name, header.executable) if sink is not None else nullcontext() as stream:
            for piece in self._pieces(header.size):
                digest.update(piece)
                if stream is not None:
                    stream.write(piece)
        if self._take(-header.size % BLOCK).strip(b"\0"):
            raise ArchiveRefused("padding", "bytes hide behind a member's content", where=name)
        return Member(name, header.size, header.executable, digest.hexdigest())

    def _check_canonical(self, raw: bytes, header: Header, last: bytes) -> None:
        wanted = file_header(header.name.decode(), header.size, executable=header.executable)
        self.canonical = self.canonical and raw == wanted and header.name > last

    def _check_end(self) -> None:
        if self._take(BLOCK) != _ZERO:
            raise ArchiveRefused("data-after-end", "one empty block, and then more members")
        rest = b"".join(self._rest())
        if rest.strip(b"\0"):
            raise ArchiveRefused("data-after-end", "bytes follow the end of the tar")
        self.canonical = self.canonical and not rest

    def _rest(self) -> Iterator[bytes]:
        size = 0
        while piece := self._next():
            size += len(piece)
            if size > _FILL_LIMIT:
                raise ArchiveRefused("data-after-end", "more than a record follows the end of the tar")
            self._pending = b""
            yield piece

    def _next(self) -> bytes:
        if not self._pending:
            self._pending = next(self._chunks, b"")
            self._digest.update(self._pending)
        return self._pending

    def _take(self, size: int) -> bytes:
        return b"".join(self._pieces(size))

    def _pieces(self, size: int) -> Iterator[bytes]:
        while size:
            data = self._next()
            if not data:
                raise ArchiveRefused("truncated", "the tar ends early")
            piece, self._pending = data[:size], data[size:]
            size -= len(piece)
            yield piece
