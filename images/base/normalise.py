"""Rewrites what tools with a clock produced as one layer without: sorted, at the epoch, merged."""

from __future__ import annotations

import tarfile
from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Final

from toolchain.core.tarball import END, header, padding

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_KINDS: Final = {
    tarfile.REGTYPE: b"0",
    tarfile.AREGTYPE: b"0",
    tarfile.LNKTYPE: b"1",
    tarfile.SYMTYPE: b"2",
    tarfile.DIRTYPE: b"5",
}

_Entry = tuple[tarfile.TarFile, tarfile.TarInfo]


# Engines mount their own over these. Left in, they would carry the building machine's name and name servers.
_OF_THE_ENGINE: Final = frozenset(
    {".dockerenv", "etc/hostname", "etc/hosts", "etc/resolv.conf", "run/.containerenv"}
)


def normalised(layers: Iterable[Path | IO[bytes]], output: BinaryIO, without: Collection[str] = ()) -> None:
    """Write the layers, lowest first, to ``output`` as one deterministic tar, ``without`` the entries named.

    Devices and pipes are left out: engines make ``/dev`` themselves, and rootless ones may not unpack them.
    """
    without = _OF_THE_ENGINE.union(without)
    merged: dict[str, _Entry] = {}
    opened = [_open(layer) for layer in layers]
    try:
        for archive in opened:
            for member in archive:
                _merge(merged, archive, member)
        for name in sorted(merged.keys() - without, key=_order):
            _write(name, *merged[name], output)
        output.write(END)
    finally:
        for archive in opened:
            archive.close()


def _open(layer: Path | IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(layer) if isinstance(layer, Path) else tarfile.open(fileobj=layer)


def _merge(merged: dict[str, _Entry], archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    name = str(PurePosixPath("/" + member.name).relative_to("/"))
    if name == "." or member.type not in _KINDS:
        return
    folder, _, last = name.rpartition("/")
    if last == _OPAQUE:
        _drop(merged, folder, itself=False)
    elif last.startswith(_WHITEOUT):
        _drop(merged, f"{folder}/{last.removeprefix(_WHITEOUT)}".lstrip("/"), itself=True)
    else:
        merged.pop(f"{folder}/{_WHITEOUT}{last}".lstrip("/"), None)
    merged[name] = (archive, member)


def _drop(merged: dict[str, _Entry], place: str, *, itself: bool) -> None:
    below = [name for name in merged if name.startswith(f"{place}/") or (itself and name == place)]
    for name in below:
        del merged[name]


def _order(name: str) -> tuple[str, ...]:
    """Parents before children, and whiteouts before what is beside them."""
    return tuple(name.split("/"))


def _write(name: str, archive: tarfile.TarFile, member: tarfile.TarInfo, output: BinaryIO) -> None:
    kind = _KINDS[member.type]
    link = member.linkname if kind in (b"1", b"2") else ""
    if kind == b"1":
        link = str(PurePosixPath("/" + link).relative_to("/"))
    size = member.size if kind == b"0" else 0
    full = name + "/" if kind == b"5" else name
    # Engines differ in the mode of a whiteout, which no file ever has.
    mode = 0 if name.rpartition("/")[2].startswith(_WHITEOUT) else member.mode & 0o7777
    output.write(header(full, size, kind, mode, link=link, owner=member.uid, group=member.gid))
    if size:
        content = archive.extractfile(member)
        assert content is not None
        while chunk := content.read(1 << 20):
            output.write(chunk)
        output.write(padding(size))
