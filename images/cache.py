"""What the cache holds, and making it smaller.

Everything in it can be made again; what a build takes, it marks as used by the file's time. Pruning removes the
least recently used first and may run beside builds: one that loses a piece under its hands makes it again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from images.files import Cache

# Two sets of CUDA libraries with their wheels are 12 GB; a dozen CPU plugins share 2 GB.
LIMIT_BYTES: Final = 20 << 30
# What a build just touched it may be about to read.
SPARED_SECONDS: Final = 3600.0

_KINDS: Final = {
    "wheels": "wheels as downloaded",
    "fragments": "wheels unpacked",
    "bytecode": "bytecode of wheels",
    "rootfs": "distributions made from packages",
    "bases": "base images",
    "layers": "records of dependency layers",
    "locks-resolved": "locks",
    "code": "records of large plugins",
    "resolver": "the resolver's own cache",
    "scan": "results of scans",
    "tmp": "unfinished files",
}
# Small, and what they record stays true without the pieces: a build needs them to know what an engine already has.
_KEPT_BY_SIZE: Final = frozenset({"layers", "locks-resolved", "code", "resolver", "tmp"})


@dataclass(frozen=True)
class Use:
    """One kind of content: how many files, their bytes, and the seconds since the last use of the oldest."""

    kind: str
    meaning: str
    files: int
    bytes: int
    oldest_seconds: float


@dataclass(frozen=True)
class Pruned:
    """What a pruning removed and what is left, in files and bytes."""

    files: int
    bytes: int
    left_bytes: int


@dataclass(frozen=True)
class _Item:
    """Files that are used and removed together."""

    paths: tuple[Path, ...]
    bytes: int
    used: float


def show(cache: Cache) -> tuple[Use, ...]:
    """Every kind of content that is there, in a fixed order."""
    now = time.time()
    uses = []
    for kind, meaning in _KINDS.items():
        items = list(_items(cache.root / kind))
        if items:
            files = sum(len(item.paths) for item in items)
            oldest = now - min(item.used for item in items)
            uses.append(Use(kind, meaning, files, sum(item.bytes for item in items), max(0.0, oldest)))
    return tuple(uses)


def prune(cache: Cache, *, keep_bytes: int = LIMIT_BYTES, unused_seconds: float | None = None) -> Pruned:
    """Remove what was not used for ``unused_seconds``, then the least recently used until ``keep_bytes`` are left.

    What was used within the last hour stays, unless ``keep_bytes`` is 0: that empties the cache but for files
    that a running process holds open, or that a process left unfinished within the last minute.
    """
    cache.sweep()
    now = time.time()
    spared = 0.0 if keep_bytes == 0 else SPARED_SECONDS
    items = sorted(_removable(cache, everything=keep_bytes == 0), key=lambda item: item.used)
    left = sum(item.bytes for item in items)
    files = removed = 0
    for item in items:
        age = now - item.used
        too_old = unused_seconds is not None and age > unused_seconds
        if age >= spared and (too_old or left > keep_bytes or keep_bytes == 0):
            files += _remove(item)
            removed += item.bytes
            left -= item.bytes
    return Pruned(files, removed, left)


def _removable(cache: Cache, *, everything: bool) -> Iterator[_Item]:
    for kind in _KINDS:
        if kind != "tmp" and (everything or kind not in _KEPT_BY_SIZE):
            yield from _items(cache.root / kind)


def _items(folder: Path) -> Iterator[_Item]:
    """Files by name without suffix: a piece goes with its table, a half download with its wheel."""
    groups: dict[Path, list[Path]] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else []:
        if path.is_file():
            groups.setdefault(path.with_suffix(""), []).append(path)
    for paths in groups.values():
        with suppress(FileNotFoundError):
            states = [path.stat() for path in paths]
            yield _Item(tuple(paths), sum(state.st_size for state in states), max(s.st_mtime for s in states))


def _remove(item: _Item) -> int:
    return sum(_unlink(item.paths))


def _unlink(paths: Iterable[Path]) -> Iterator[int]:
    for path in paths:
        with suppress(FileNotFoundError):
            path.unlink()
            yield 1
