"""What changed between two versions of a plugin: findings, files, dependencies and classes of power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from toolchain.scan.model import ScanFinding, ScanResult


@dataclass(frozen=True)
class Difference:
    """Sorted lines of what came and what went; ``powers`` are classes that only the new version reaches."""

    findings_added: tuple[str, ...]
    findings_removed: tuple[str, ...]
    files_added: tuple[str, ...]
    files_removed: tuple[str, ...]
    files_changed: tuple[str, ...]
    dependencies_added: tuple[str, ...]
    dependencies_removed: tuple[str, ...]
    powers_added: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The difference as plain data."""
        return {name: list(getattr(self, name)) for name in self.__dataclass_fields__}


def compare(old: ScanResult, new: ScanResult, dependencies: tuple[frozenset[str], frozenset[str]]) -> Difference:
    """``dependencies`` are the requirement lines of the old and of the new version."""
    before, after = set(map(_label, old.active)), set(map(_label, new.active))
    old_files = {item.name: item.digest for item in old.inventory}
    new_files = {item.name: item.digest for item in new.inventory}
    common = old_files.keys() & new_files.keys()
    return Difference(
        findings_added=_lines(after - before),
        findings_removed=_lines(before - after),
        files_added=_lines(new_files.keys() - old_files.keys()),
        files_removed=_lines(old_files.keys() - new_files.keys()),
        files_changed=_lines({name for name in common if old_files[name] != new_files[name]}),
        dependencies_added=_lines(dependencies[1] - dependencies[0]),
        dependencies_removed=_lines(dependencies[0] - dependencies[1]),
        powers_added=_lines({f.power for f in new.active} - {f.power for f in old.active}),
    )


def _label(finding: ScanFinding) -> str:
    return f"{finding.level} {finding.power} {finding.name} in {finding.file}"


def _lines(items: Any) -> tuple[str, ...]:
    return tuple(sorted(items))
