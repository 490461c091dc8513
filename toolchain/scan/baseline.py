# data tables
# ruff: noqa: E501
"""The reviewer's baseline: accepted findings, kept outside of the plugin.

A TOML file of ``[[accepted]]`` tables with ``rule``, ``name``, ``file``, ``sha256`` (of that file), ``reason``, ``author``
and ``expires`` (a date). It stops counting when the file changes or the date passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from toolchain.core.errors import UsageFault
from toolchain.core.toml import parse_toml
from toolchain.scan.model import Item, ScanFinding

_FIELDS = frozenset({"rule", "name", "file", "sha256", "reason", "author", "expires"})


def apply_baseline(
    findings: Sequence[ScanFinding], inventory: Sequence[Item], path: Path | None
) -> list[ScanFinding]:
    """The findings, those marked as suppressed that a valid entry covers. Raises ``UsageFault`` for a bad file."""
    if path is None:
        return list(findings)
    entries = _entries(path)
    digests = {item.name: item.digest for item in inventory}
    return [replace(f, suppressed=_reason(f, entries, digests)) for f in findings]


def _reason(finding: ScanFinding, entries: list[dict[str, Any]], digests: dict[str, str]) -> str | None:
    today = datetime.now(timezone.utc).date()
    for entry in entries:
        same = (entry["rule"], entry["name"], entry["file"]) == (finding.rule, finding.name, finding.file)
        if same and entry["sha256"] == digests.get(finding.file) and entry["expires"] >= today:
            return f"{entry['reason']} ({entry['author']}, until {entry['expires']})"
    return None


def _entries(path: Path) -> list[dict[str, Any]]:
    remedy = f"each [[accepted]] needs {', '.join(sorted(_FIELDS))}; expires is a date without quotes"
    try:
        entries = parse_toml(path.read_bytes()).get("accepted", [])
    except (OSError, ValueError) as reason:
        raise UsageFault(f"the baseline cannot be read: {reason}", where=str(path), remedy=remedy) from None
    for entry in entries:
        if set(entry) != _FIELDS or not isinstance(entry["expires"], date):
            raise UsageFault("an entry of the baseline is incomplete", where=str(path), remedy=remedy)
    return list(entries)
