"""One header of a tar, read strictly: what two readers could understand differently is refused by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from toolchain.publish.archive.model import ArchiveRefused

_OCTAL: Final = re.compile(rb" {0,2}([0-7]{1,11})[ \0]{1,2}")
_POSIX: Final = b"ustar\x0000"
_OLD_GNU: Final = b"ustar  \0"
_KINDS: Final = {
    b"1": ("hard-link", "a hard link"),
    b"2": ("link", "a symbolic link"),
    b"3": ("device", "a character device"),
    b"4": ("device", "a block device"),
    b"6": ("fifo", "a FIFO"),
    b"7": ("type", "a contiguous file"),
    b"L": ("gnu-long-name", "a GNU long name"),
    b"K": ("gnu-long-name", "a GNU long link"),
    b"S": ("sparse", "a sparse file"),
    b"g": ("global-pax", "a global pax header, which not every program applies"),
    b"X": ("type", "an extended header of Solaris"),
    b"D": ("type", "a GNU directory dump"),
    b"M": ("multi-volume", "a continuation of another volume"),
    b"V": ("type", "a volume label"),
    b"\0": ("type", "a file of the type that tar used before 1988"),
}
# What pax records may say: the name, and facts that unpacking does not need.
_IGNORED_KEYS: Final = frozenset({b"mtime", b"atime", b"ctime", b"uid", b"gid", b"uname", b"gname"})
_RECORD: Final = re.compile(rb"([1-9][0-9]{0,4}) ")


@dataclass(frozen=True)
class Header:
    """The fields that count: ``kind`` is ``0`` (file), ``5`` (folder) or ``x`` (pax records follow)."""

    name: bytes
    size: int
    kind: bytes
    executable: bool


def read_header(block: bytes) -> Header:
    """The header in one block of 512 bytes. Raises ``ArchiveRefused``."""
    shown = block[:100].split(b"\0")[0].decode(errors="replace")
    _check_sum(block, shown)
    kind = block[156:157]
    if kind not in (b"0", b"5", b"x"):
        rule, what = _KINDS.get(kind, ("type", f"a member of the unknown type {kind!r}"))
        raise ArchiveRefused(rule, f"it holds {what}; only regular files are taken", where=shown)
    mode, size = _number(block, 100, 8, shown), _number(block, 124, 12, shown)
    _check_rest(block, shown)
    if kind != b"x" and mode & 0o7000:
        raise ArchiveRefused("special-mode", "a member has a set-user-id, set-group-id or sticky bit", where=shown)
    if block[157:257].strip(b"\0"):
        raise ArchiveRefused("link", "a regular file names the target of a link", where=shown)
    if kind == b"5" and size:
        raise ArchiveRefused("folder-size", "a folder has content", where=shown)
    return Header(_name(block, shown), size, kind, bool(mode & 0o100))


def read_pax(data: bytes) -> bytes | None:
    """The name that pax records give; ``None`` when they give none. Raises ``ArchiveRefused``."""
    path: bytes | None = None
    seen: set[bytes] = set()
    while data:
        match = _RECORD.match(data)
        length = int(match[1]) if match else 0
        record = data[:length]
        if match is None or len(record) != length or not record.endswith(b"\n"):
            raise ArchiveRefused("pax-malformed", "a pax record is malformed")
        key, separator, value = record[match.end() : -1].partition(b"=")
        if not separator or key in seen:
            raise ArchiveRefused(
                "pax-duplicate", "a pax record is repeated or malformed", where=key.decode("latin-1")
            )
        seen.add(key)
        if key == b"path":
            path = value
        else:
            _check_key(key)
        data = data[length:]
    if path is not None and (not path or b"\0" in path or b"\n" in path):
        raise ArchiveRefused("pax-path", "a pax record gives a name that is none")
    return path


def _check_key(key: bytes) -> None:
    if key in _IGNORED_KEYS:
        return
    shown = key.decode("latin-1")
    if key == b"size" or key.startswith(b"GNU.sparse"):
        raise ArchiveRefused("pax-size", "a pax record changes the size of a member", where=shown)
    if key == b"linkpath":
        raise ArchiveRefused("link", "a pax record names the target of a link", where=shown)
    raise ArchiveRefused("pax-key", "a pax record that not every program applies", where=shown)


def _check_sum(block: bytes, shown: str) -> None:
    stored = _number(block, 148, 8, shown)
    if stored != sum(block) - sum(block[148:156]) + 8 * 0x20:
        raise ArchiveRefused("checksum", "a header's checksum is wrong", where=shown)


def _number(block: bytes, start: int, length: int, shown: str) -> int:
    field = block[start : start + length]
    if field[0] & 0x80:
        raise ArchiveRefused("number-format", "a number in GNU's binary form", where=shown)
    match = _OCTAL.fullmatch(field)
    if match is None:
        raise ArchiveRefused("number-format", "a number that is not plain octal", where=shown)
    return int(match[1], 8)


def _check_rest(block: bytes, shown: str) -> None:
    """Fields that unpacking does not need must still be well formed: some readers stop at those that are not."""
    for start, length in ((108, 8), (116, 8), (136, 12)):  # user, group, time
        _number(block, start, length, shown)
    for start, length in ((329, 8), (337, 8)):  # device numbers, which GNU tar leaves empty
        if block[start : start + length].strip(b"\0"):
            _number(block, start, length, shown)
    for owner in (block[265:297], block[297:329]):
        if not owner.isascii() or owner.rstrip(b"\0").count(b"\0"):
            raise ArchiveRefused("name-padding", "bytes hide behind an owner's name", where=shown)
    if block[500:].strip(b"\0"):
        raise ArchiveRefused("padding", "bytes hide at the end of a header", where=shown)


def _name(block: bytes, shown: str) -> bytes:
    field, magic, prefix = block[:100], block[257:265], block[345:500]
    if magic not in (_POSIX, _OLD_GNU):
        raise ArchiveRefused("magic", "a header of an unknown dialect of tar", where=shown)
    name = _terminated(field, shown)
    if not prefix.strip(b"\0"):
        return name
    if magic != _POSIX:
        raise ArchiveRefused("prefix", "a prefix in a dialect that has none", where=shown)
    return _terminated(prefix, shown) + b"/" + name


def _terminated(field: bytes, shown: str) -> bytes:
    name, _, rest = field.partition(b"\0")
    if not name or rest.strip(b"\0"):
        raise ArchiveRefused("name-padding", "a name is empty, or bytes hide behind its end", where=shown)
    return name
