"""Joins tars so that every path is in the result once, without copying a byte.

Wheels share folders (``nvidia/``, ``google/``, ``bin/``) and sometimes files. Docker's `load` refuses a layer
that holds a path twice ("duplicates of file paths not supported"), and then only its builder would be left: 22 s
instead of 6.5 s for the first image with 840 MB of CUDA, 0.27 s instead of 0.08 s for each change (measured).
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from toolchain.core.errors import DownloadCorrupt
from toolchain.core.tarball import FilePart


@dataclass(frozen=True)
class _Entry:
    """One entry with its headers and padding: the bytes from ``start`` up to ``end`` of a tar."""

    name: str
    is_folder: bool
    start: int
    end: int


def joined(tars: Sequence[Path]) -> tuple[FilePart, ...]:
    """The entries of ``tars``, which have no end blocks, as parts of files in their order.

    Of a file that is in several the last stays, as an extraction one after the other would have it; of a folder
    the first, since it must come before what is in it.
    """
    tables = [list(_entries(path)) for path in tars]
    last = {entry.name: entry for table in tables for entry in table if not entry.is_folder}
    folders: set[str] = set()
    parts: list[FilePart] = []
    for path, table in zip(tars, tables, strict=True):
        kept = [entry for entry in table if _stays(entry, last, folders)]
        parts += [FilePart(path, path.stat().st_size)] if len(kept) == len(table) else _ranges(path, kept)
    return tuple(part for part in parts if part.size)


def _stays(entry: _Entry, last: dict[str, _Entry], folders: set[str]) -> bool:
    if not entry.is_folder:
        return last[entry.name] is entry
    known = entry.name in folders
    folders.add(entry.name)
    return not known


def _ranges(path: Path, kept: list[_Entry]) -> list[FilePart]:
    """As few parts as the gaps allow."""
    ranges: list[tuple[int, int]] = []
    for entry in kept:
        if ranges and ranges[-1][1] == entry.start:
            ranges[-1] = (ranges[-1][0], entry.end)
        else:
            ranges.append((entry.start, entry.end))
    return [FilePart(path, end - start, start, partial=True) for start, end in ranges]


def _entries(path: Path) -> Iterator[_Entry]:
    try:
        size = path.stat().st_size
        if size == 0:  # the bytecode of a wheel without sources
            return
        with tarfile.open(path, "r:") as archive:
            members = archive.getmembers()
    except (OSError, tarfile.TarError) as reason:
        path.unlink(missing_ok=True)
        raise DownloadCorrupt(
            f"a piece in the cache is gone or damaged ({reason})",
            where=str(path),
            remedy="run the same command again: it is made anew",
        ) from reason
    # A member's offset is that of its first header, which may be a pax record's.
    ends = [*(member.offset for member in members[1:]), size]
    for member, end in zip(members, ends, strict=True):
        yield _Entry(member.name, member.isdir(), member.offset, end)
