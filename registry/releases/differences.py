"""What changed from one release to another, from what was re-verified of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.database.models import Evidence


def difference(old: Evidence, new: Evidence) -> dict[str, list[str]]:
    """Sorted lines by kind of change; kinds without any are left out."""
    before, after = _digests(old), _digests(new)
    found, was_found = _findings(new), _findings(old)
    packages, had = _packages(new), _packages(old)
    changes = {
        "Powers reached anew": _powers(new) - _powers(old),
        "Findings added": found - was_found,
        "Findings gone": was_found - found,
        "Files added": after.keys() - before.keys(),
        "Files removed": before.keys() - after.keys(),
        "Files changed": {name for name in after.keys() & before.keys() if after[name] != before[name]},
        "Packages added": packages - had,
        "Packages removed": had - packages,
    }
    return {kind: sorted(lines) for kind, lines in changes.items() if lines}


def _digests(evidence: Evidence) -> Mapping[str, tuple[bool, str]]:
    return {name: (executable, digest) for name, _, executable, digest in evidence.files}


def _findings(evidence: Evidence) -> set[str]:
    return {f"{finding['level']}: {finding['name']} in {finding['file']}" for finding in evidence.scan["findings"]}


def _powers(evidence: Evidence) -> set[str]:
    return {finding["class"] for finding in evidence.scan["findings"]}


def _packages(evidence: Evidence) -> set[str]:
    listed: list[Any] = (evidence.record or {}).get("packages", [])
    return {f"{package['name']} {package['version']}" for package in listed}
