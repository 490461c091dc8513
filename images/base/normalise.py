"""Rewrites what tools with a clock produced as one layer without: sorted, at the epoch, merged."""

from __future__ import annotations

import tarfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Final

from images.layout import WHITEOUT
from toolchain.core.tarball import END, header, padding

_OPAQUE: Final = ".wh..wh..opq"
_KINDS: Final = {
    tarfile.REGTYPE: b"0",
    tarfile.AREGTYPE: b"0",
    tarfile.LNKTYPE: b"1",
    tarfile.SYMTYPE: b"2",
    tarfile.DIRTYPE: b"5",
}
_CHUNK: Final = 1 << 20

_Entry = tuple[tarfile.TarFile, tarfile.TarInfo]
_Tars = Iterable[Path | IO[bytes]]


# Engines mount their own over these. Left in, they would carry the building machine's name and name servers.
_OF_THE_ENGINE: Final = frozenset(
    {".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf", "run/.containerenv"}
)


def normalised(layers: _Tars, output: BinaryIO, *, without: Collection[str] = (), whole: bool = False) -> None:
    """Write the layers, lowest first, to ``output`` as one deterministic tar, ``without`` the entries named.

    Devices and pipes are left out: engines make ``/dev`` themselves, and rootless ones may not unpack them.
    ``whole`` says that nothing lies below these layers, so that marks of what they removed are of no use.
    """
    without = _OF_THE_ENGINE.union(without)
    with _merged(layers) as merged:
        for name in sorted(merged.keys() - without, key=_order):
            if not (whole and _is_whiteout(name)):
                _write(name, *merged[name], output)
    output.write(END)


def difference(before: _Tars, after: IO[bytes], below: str, output: BinaryIO) -> None:
    """Write what turns the file system of the layers ``before`` into the one below folder ``below`` of ``after``.

    The result is a layer like one that ``normalised`` writes: changed and new entries, and whiteouts for those
    that are gone.
    """
    with _merged(before) as lower, _merged([after]) as unpacked:
        old, new = _without_links(lower, ""), _without_links(unpacked, f"{below}/")
        changed = {name: entry for name, entry in new.items() if name not in old or not _equal(old[name], entry)}
        gone = {name for name in old.keys() - new.keys() - _OF_THE_ENGINE if not _is_whiteout(name)}
        topmost = [name for name in gone if gone.isdisjoint(map(str, PurePosixPath(name).parents))]
        entries: dict[str, _Entry | None] = {_whiteout(name): None for name in topmost}
        entries |= {name: entry for name, entry in changed.items() if name not in _OF_THE_ENGINE}
        for name in sorted(entries, key=_order):
            entry = entries[name]
            if entry is None:
                output.write(header(name, 0, b"0", 0))
            else:
                _write(name, *entry, output)
    output.write(END)


def _without_links(merged: dict[str, _Entry], below: str) -> dict[str, _Entry]:
    """The entries below a folder, a hard link as the file that it leads to.

    A link may not lead into a layer below its own: engines unpack each layer by itself.
    """
    return {
        name.removeprefix(below): merged[_plain(entry[1].linkname)] if entry[1].islnk() else entry
        for name, entry in merged.items()
        if name.startswith(below)
    }


@contextmanager
def _merged(layers: _Tars) -> Iterator[dict[str, _Entry]]:
    """Every entry of the layers by name, the topmost of each."""
    merged: dict[str, _Entry] = {}
    opened = [_open(layer) for layer in layers]
    try:
        for archive in opened:
            for member in archive:
                _merge(merged, archive, member)
        yield merged
    finally:
        for archive in opened:
            archive.close()


def _open(layer: Path | IO[bytes]) -> tarfile.TarFile:
    if isinstance(layer, Path):
        return tarfile.open(layer)
    layer.seek(0)
    return tarfile.open(fileobj=layer)


def _merge(merged: dict[str, _Entry], archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    name = _plain(member.name)
    if name == "." or member.type not in _KINDS:
        return
    folder, _, last = name.rpartition("/")
    if last == _OPAQUE:
        _drop(merged, folder, itself=False)
    elif last.startswith(WHITEOUT):
        _drop(merged, f"{folder}/{last.removeprefix(WHITEOUT)}".lstrip("/"), itself=True)
    else:
        merged.pop(_whiteout(name), None)
    merged[name] = (archive, member)


def _plain(name: str) -> str:
    return str(PurePosixPath("/" + name).relative_to("/"))


def _whiteout(name: str) -> str:
    folder, _, last = name.rpartition("/")
    return f"{folder}/{WHITEOUT}{last}".lstrip("/")


def _is_whiteout(name: str) -> bool:
    return name.rpartition("/")[2].startswith(WHITEOUT)


def _drop(merged: dict[str, _Entry], place: str, *, itself: bool) -> None:
    below = [name for name in merged if name.startswith(f"{place}/") or (itself and name == place)]
    for name in below:
        del merged[name]


def _order(name: str) -> tuple[str, ...]:
    """Parents before children, and whiteouts before what is beside them."""
    return tuple(name.split("/"))


def _equal(one: _Entry, other: _Entry) -> bool:
    """Whether two entries put the same thing there, whatever their times."""
    first, second = one[1], other[1]
    if _traits(first) != _traits(second):
        return False
    return not first.isreg() or all(a == b for a, b in zip(_contents(*one), _contents(*other), strict=True))


def _traits(member: tarfile.TarInfo) -> tuple[object, ...]:
    kind = _KINDS[member.type]
    link = member.linkname if member.issym() else ""
    # A link has no mode of its own, and tools write different ones.
    mode = 0 if member.issym() else member.mode & 0o7777
    return kind, link, mode, member.uid, member.gid, member.size if member.isreg() else 0


def _contents(archive: tarfile.TarFile, member: tarfile.TarInfo) -> Iterator[bytes]:
    content = archive.extractfile(member)
    assert content is not None
    while chunk := content.read(_CHUNK):
        yield chunk


def _write(name: str, archive: tarfile.TarFile, member: tarfile.TarInfo, output: BinaryIO) -> None:
    kind = _KINDS[member.type]
    link = _plain(member.linkname) if kind == b"1" else member.linkname if kind == b"2" else ""
    size = member.size if kind == b"0" else 0
    full = name + "/" if kind == b"5" else name
    # Engines differ in the mode of a whiteout, which no file ever has.
    mode = 0 if _is_whiteout(name) else member.mode & 0o7777
    output.write(header(full, size, kind, mode, link=link, owner=member.uid, group=member.gid))
    if size:
        output.writelines(_contents(archive, member))
        output.write(padding(size))
