"""What changed between two versions of a plugin: findings, files, dependencies, permissions, classes of power."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from toolchain.scan.model import CLASSES, ScanFinding, ScanResult


@dataclass(frozen=True)
class Change:
    """What came and what went of one kind, sorted."""

    added: tuple[str, ...]
    removed: tuple[str, ...]

    def to_json(self) -> dict[str, list[str]]:
        """The change as plain data."""
        return {"added": list(self.added), "removed": list(self.removed)}


@dataclass(frozen=True)
class Difference:
    """The new version as seen from the old one; a class of power is what a finding's letter stands for."""

    versions: tuple[str, str]
    findings_added: tuple[ScanFinding, ...]
    findings_removed: tuple[ScanFinding, ...]
    files: Change
    files_changed: tuple[str, ...]
    dependencies: Change
    permissions: Change
    classes: Change

    @property
    def more_dangerous(self) -> bool:
        """Whether the new version has a forbidden construct that the old one had not."""
        return any(finding.level == "forbidden" for finding in self.findings_added)

    @property
    def nothing(self) -> bool:
        """Whether the two are the same."""
        changes = (self.files, self.dependencies, self.permissions, self.classes)
        lists = [self.findings_added, self.findings_removed, self.files_changed]
        return not any(lists) and not any(change.added or change.removed for change in changes)

    def to_json(self) -> dict[str, Any]:
        """The difference as plain data."""
        return {
            "versions": {"old": self.versions[0], "new": self.versions[1]},
            "findings": {
                "added": [finding.to_json() for finding in self.findings_added],
                "removed": [finding.to_json() for finding in self.findings_removed],
            },
            "files": {**self.files.to_json(), "changed": list(self.files_changed)},
            "dependencies": self.dependencies.to_json(),
            "permissions": self.permissions.to_json(),
            "classes": self.classes.to_json(),
        }


def compare(old: ScanResult, new: ScanResult) -> Difference:
    """Compare two versions, folders or archives; an archive's one top folder does not count as part of a name."""
    before, after = _by_construct(old), _by_construct(new)
    old_files, new_files = _files(old), _files(new)
    common = old_files.keys() & new_files.keys()
    return Difference(
        versions=(_version(old), _version(new)),
        findings_added=_beyond(after, before),
        findings_removed=_beyond(before, after),
        files=_change(old_files, new_files),
        files_changed=tuple(sorted(name for name in common if old_files[name] != new_files[name])),
        dependencies=_change(old.declared.dependencies, new.declared.dependencies),
        permissions=_change(old.declared.permissions, new.declared.permissions),
        classes=_change(_classes(old), _classes(new)),
    )


def _version(result: ScanResult) -> str:
    return f"{result.declared.name or '(no name)'} {result.declared.version or '(no version)'}"


def _classes(result: ScanResult) -> set[str]:
    return {f"{finding.power} {CLASSES[finding.power]}" for finding in result.active}


def _change(old: Iterable[str], new: Iterable[str]) -> Change:
    before, after = set(old), set(new)
    return Change(tuple(sorted(after - before)), tuple(sorted(before - after)))


def _files(result: ScanResult) -> dict[str, str]:
    top = _top(result)
    return {item.name.removeprefix(top): item.digest for item in result.inventory}


def _top(result: ScanResult) -> str:
    tops = {item.name.partition("/")[0] for item in result.inventory}
    nested = all("/" in item.name for item in result.inventory)
    return f"{tops.pop()}/" if nested and len(tops) == 1 else ""


_Construct = tuple[str, str, str, str]


def _by_construct(result: ScanResult) -> dict[_Construct, list[ScanFinding]]:
    """Findings by what they are about; lines move between versions, so only their number counts."""
    top = _top(result)
    found: dict[_Construct, list[ScanFinding]] = defaultdict(list)
    for finding in result.active:
        found[finding.level, finding.rule, finding.name, finding.file.removeprefix(top)].append(finding)
    return found


def _beyond(
    some: dict[_Construct, list[ScanFinding]], others: dict[_Construct, list[ScanFinding]]
) -> tuple[ScanFinding, ...]:
    return tuple(
        finding for construct in sorted(some) for finding in some[construct][len(others.get(construct, ())) :]
    )
