"""One pass over a target: an inventory of everything, and the bytes of what will be judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from toolchain.core.digests import sha256_bytes, sha256_json
from toolchain.scan.contents import Entry, Problem, Reading, carries_code, classify, read_contents
from toolchain.scan.model import Item, ScanOptions


@dataclass(frozen=True)
class Kept:
    """A file that is judged after the pass."""

    kind: str
    data: bytes


@dataclass
class Gathered:
    """What a pass brings together; ``large`` are problems of files too large to be kept, judged on the way."""

    reading: Reading
    roots: tuple[str, ...] = ()
    inventory: list[Item] = field(default_factory=list)
    kept: dict[str, Kept] = field(default_factory=dict)
    large: list[Problem] = field(default_factory=list)

    @property
    def content_digest(self) -> str:
        """Binds every name and every byte that was read, and what could not be."""
        problems = [[problem.rule, problem.file, problem.message] for problem in self.reading.problems]
        return sha256_json([self._digests(self.inventory), problems])

    @property
    def code_digest(self) -> str:
        """Binds what can carry code."""
        return sha256_json(self._digests(item for item in self.inventory if item.carries_code))

    @staticmethod
    def _digests(items: Iterator[Item] | list[Item]) -> list[list[str]]:
        return sorted([item.name, item.digest] for item in items)


def gather(target: Path, options: ScanOptions) -> Gathered:
    """Read everything once. Raises ``UsageFault`` when there is nothing at ``target``."""
    limits = options.limits
    gathered = Gathered(Reading(limits, options.packed_only))
    kept = 0
    for entry in read_contents(target, gathered.reading):
        kind = classify(entry.name, entry.data)
        code = carries_code(kind, entry.data)
        gathered.inventory.append(Item(entry.name, kind, code, len(entry.data), sha256_bytes(entry.data)))
        fits = len(entry.data) <= limits.text_bytes and kept + len(entry.data) <= limits.source_bytes
        if fits:
            kept += len(entry.data)
            gathered.kept[entry.name] = Kept(kind, entry.data)
        else:
            gathered.large += _judged_now(entry, kind, options)
    gathered.inventory.sort(key=lambda item: item.name)
    gathered.roots = _roots(target, gathered)
    return gathered


def _judged_now(entry: Entry, kind: str, options: ScanOptions) -> Iterator[Problem]:
    # Imported here: an unchanged plugin is answered from the cache without them.
    from toolchain.scan.inspect import inspect_entry
    from toolchain.scan.policy import load_policy

    yield from inspect_entry(entry, kind, load_policy(), options.limits)
    if kind in {"python", "notebook", "path file"}:
        message = f"a source of {len(entry.data) / 2**20:.1f} MiB, which is more than a scan parses"
        yield Problem("limit.file", message, entry.name)


def _roots(target: Path, gathered: Gathered) -> tuple[str, ...]:
    """The names under which a tree's own modules may be imported: its folder's, or an archive's top folder."""
    if target.is_dir():
        return (target.resolve().name,)
    return tuple(sorted({item.name.partition("/")[0] for item in gathered.inventory if "/" in item.name}))
