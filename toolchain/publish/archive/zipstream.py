"""Reads a zip strictly: its two tables must agree and leave no byte between them.

``zipfile`` believes the central table and unpackers that stream believe the local headers; an archive in which
they differ is two archives. Format: PKWARE APPNOTE 6.3 without zip64, encryption, comments, data descriptors.
"""

from __future__ import annotations

import hashlib
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import BinaryIO, Final

from toolchain.core.tarball import END, file_header, padding
from toolchain.publish.archive.model import ArchiveLimits, ArchiveRefused, Member, Sink
from toolchain.publish.archive.names import MemberNames

_CHUNK: Final = 256 << 10
_END: Final = struct.Struct("<4s4H2LH")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_UTF8: Final = 0x800
_LEVELS: Final = 0x6  # how hard the compressor tried
_NOTHING_PACKED: Final = 2  # what deflate makes of no bytes; more would be content that nobody reads
_CENTRAL_LIMIT: Final = 4 << 20
_TIMES_AND_OWNERS: Final = frozenset({0x5455, 0x7875})
_EPOCH: Final = (0, 0x21)  # 1 January 1980


@dataclass(frozen=True)
class _Entry:
    """What the central table says of one member; ``plain`` when it is written as ``write_archive`` does."""

    name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int
    plain: bool

    @property
    def is_folder(self) -> bool:
        return self.name.endswith(b"/")


class ZipStream:
    """A zip in ``source``, which can seek; what it was is known when ``members`` is exhausted."""

    def __init__(self, source: BinaryIO, size: int, limits: ArchiveLimits) -> None:
        self._source = source
        self._size = size
        self._limits = limits
        self._tar = hashlib.sha256()
        self._table = 0
        self.names = MemberNames(limits)
        self.canonical = True

    @property
    def tar_sha256(self) -> str:
        """SHA-256 of the canonical tar of the members."""
        return self._tar.hexdigest()

    def members(self, sink: Sink | None) -> Iterator[Member]:
        """Every regular file in canonical order; its content goes to ``sink``. Raises ``ArchiveRefused``."""
        entries = self._entries()
        starts = self._check_layout(entries)
        files = [entry for entry in entries if not entry.is_folder]
        ordered = sorted(files, key=lambda entry: entry.name)
        plain = all(entry.plain for entry in files)
        self.canonical = plain and ordered == entries
        names = {}
        for entry in entries:
            if entry.is_folder:
                self.names.add_folder(entry.name)
            else:
                names[entry.name] = self.names.add_file(entry.name)
        if sum(entry.size for entry in entries) > self._limits.extracted_bytes:
            raise ArchiveRefused("too-large", f"it unpacks to more than {self._limits.extracted_bytes >> 20} MiB")
        for entry in ordered:
            yield self._file(names[entry.name], entry, starts[entry.offset], sink)
        self._tar.update(END)

    def _entries(self) -> list[_Entry]:
        tail = self._at(max(0, self._size - _END.size), _END.size)
        if len(tail) != _END.size or not tail.startswith(b"PK\5\6"):
            raise ArchiveRefused("zip-end", "the table's end is not at the end: a comment, or trailing bytes")
        _, disk, first, here, count, length, offset, comment = _END.unpack(tail)
        if disk or first or here != count or comment or offset + length + _END.size != self._size:
            raise ArchiveRefused("zip-end", "the end of the table does not fit the file")
        if length > _CENTRAL_LIMIT or count > 3 * self._limits.files:
            raise ArchiveRefused("too-many-files", f"more than {self._limits.files:,} files")
        self._table = offset
        table = self._at(offset, length)
        entries, place = [], 0
        for _ in range(count):
            entry, place = _central_entry(table, place)
            entries.append(entry)
        if place != len(table):
            raise ArchiveRefused("zip-table", "bytes in the table belong to no member")
        return entries

    def _check_layout(self, entries: list[_Entry]) -> dict[int, int]:
        """Where the content of each member starts, by its offset: the members must lie one behind the other."""
        place, starts = 0, {}
        for entry in sorted(entries, key=lambda entry: entry.offset):
            if entry.offset != place:
                raise ArchiveRefused(
                    "zip-layout", "members overlap, or bytes lie between them", where=_shown(entry)
                )
            start = self._local(entry)
            starts[place] = start
            place = start + entry.packed
        if place != self._table:
            raise ArchiveRefused("zip-layout", "bytes lie between the members and the table")
        return starts

    def _local(self, entry: _Entry) -> int:
        block = self._at(entry.offset, _LOCAL.size)
        if len(block) != _LOCAL.size or not block.startswith(b"PK\3\4"):
            raise ArchiveRefused("zip-layout", "a member is not where the table says", where=_shown(entry))
        _, _, flags, method, _, _, crc, packed, size, length, extra = _LOCAL.unpack(block)
        rest = self._at(entry.offset + _LOCAL.size, length + extra)
        told = (rest[:length], flags, method, crc, packed, size)
        if told != (entry.name, entry.flags, entry.method, entry.crc, entry.packed, entry.size):
            raise ArchiveRefused("zip-differs", "a member's header and the table differ", where=_shown(entry))
        _check_extra(rest[length:], entry.name)
        if extra:
            self.canonical = False
        start: int = entry.offset + _LOCAL.size + length + extra
        return start

    def _file(self, name: str, entry: _Entry, start: int, sink: Sink | None) -> Member:
        executable = bool(entry.mode & 0o100)
        digest, crc, size = hashlib.sha256(), 0, 0
        self._tar.update(file_header(entry.name.decode(), entry.size, executable=executable))
        with sink(name, executable) if sink is not None else nullcontext() as stream:
            for piece in self._content(entry, start):
                size += len(piece)
                if size > entry.size:
                    break
                digest.update(piece)
                self._tar.update(piece)
                crc = zlib.crc32(piece, crc)
                if stream is not None:
                    stream.write(piece)
        if size != entry.size or crc != entry.crc:
            raise ArchiveRefused("zip-content", "a member's content is not what its header says", where=name)
        self._tar.update(padding(size))
        return Member(name, size, executable, digest.hexdigest())

    def _content(self, entry: _Entry, start: int) -> Iterator[bytes]:
        raw = self._raw(start, entry.packed)
        if entry.method == 0:
            yield from raw
            return
        if entry.size > max(32 << 20, self._limits.ratio * entry.packed):
            raise ArchiveRefused("bomb", f"it unpacks to more than {self._limits.ratio} times its size")
        decoder = zlib.decompressobj(-15)
        try:
            for data in raw:
                piece = decoder.decompress(data, _CHUNK)
                while piece:
                    yield piece
                    piece = decoder.decompress(decoder.unconsumed_tail, _CHUNK)
        except zlib.error as reason:
            raise ArchiveRefused("zip-content", f"damaged: {reason}", where=_shown(entry)) from None
        if not decoder.eof or decoder.unused_data:
            raise ArchiveRefused("zip-content", "compressed data ends early or late", where=_shown(entry))

    def _raw(self, start: int, size: int) -> Iterator[bytes]:
        for offset in range(0, size, _CHUNK):
            yield self._at(start + offset, min(_CHUNK, size - offset))

    def _at(self, offset: int, size: int) -> bytes:
        self._source.seek(offset)
        return self._source.read(size)


def _central_entry(table: bytes, place: int) -> tuple[_Entry, int]:
    block = table[place : place + _CENTRAL.size]
    if len(block) != _CENTRAL.size or not block.startswith(b"PK\1\2"):
        raise ArchiveRefused("zip-table", "the table of members is damaged")
    fields = _CENTRAL.unpack(block)
    _, made_by, _, flags, method, clock, date, crc, packed, size, length, extra, comment, disk, _, mode, offset = (
        fields
    )
    place += _CENTRAL.size
    name, extras = table[place : place + length], table[place + length : place + length + extra]
    entry = _Entry(
        name, flags, method, crc, packed, size, offset, mode >> 16,
        plain=(made_by >> 8, clock, date) == (3, *_EPOCH) and not extra and mode >> 16 in (0o100644, 0o100755),
    )  # fmt: skip
    if len(name) != length or len(extras) != extra or comment or disk:
        raise ArchiveRefused("zip-table", "the table of members is damaged, or a member has a comment")
    _check_entry(entry)
    _check_extra(extras, name)
    return entry, place + length + extra


def _check_entry(entry: _Entry) -> None:
    shown = _shown(entry)
    if entry.flags & 1:
        raise ArchiveRefused("zip-encrypted", "a member is encrypted", where=shown)
    if entry.flags & ~(_UTF8 | _LEVELS):
        raise ArchiveRefused("zip-flags", "a member's size follows its content, or other rare flags", where=shown)
    if not entry.flags & _UTF8 and not entry.name.isascii():
        raise ArchiveRefused("name-encoding", "a name in an unstated encoding", where=shown)
    if entry.method not in (0, 8) or (entry.method == 0 and entry.packed != entry.size):
        raise ArchiveRefused("zip-method", "a member is neither stored nor deflated", where=shown)
    kind = stat.S_IFMT(entry.mode)
    if stat.S_ISLNK(entry.mode):
        raise ArchiveRefused("link", "it holds a symbolic link; only regular files are taken", where=shown)
    if kind not in (0, stat.S_IFDIR if entry.is_folder else stat.S_IFREG):
        raise ArchiveRefused("device", "a member is no regular file", where=shown)
    if entry.mode & 0o7000:
        raise ArchiveRefused("special-mode", "a member has a set-user-id, set-group-id or sticky bit", where=shown)
    if entry.is_folder and (entry.size or entry.packed > _NOTHING_PACKED):
        raise ArchiveRefused("folder-size", "a folder has content", where=shown)


def _check_extra(extra: bytes, name: bytes) -> None:
    while extra:
        kind, length = struct.unpack("<2H", extra[:4]) if len(extra) >= 4 else (0, len(extra))
        if kind not in _TIMES_AND_OWNERS or len(extra) < 4 + length:
            shown = name.decode(errors="replace")
            raise ArchiveRefused("zip-extra", "a member has fields that not every program reads", where=shown)
        extra = extra[4 + length :]


def _shown(entry: _Entry) -> str:
    return entry.name.decode(errors="replace")
