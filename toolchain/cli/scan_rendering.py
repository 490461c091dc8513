"""The results of ``plugin scan`` in each of its forms."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from toolchain.core.sizes import counted
from toolchain.core.visible import visible_json
from toolchain.scan import ScanFinding, Scanned

_SHOWN_FINDINGS = 200
_SHOWN_NAMES = 8


def render(scanned: Sequence[Scanned], strays: Sequence[str], form: str) -> str:
    """The whole report in one of the forms ``text``, ``json``, ``sarif``, ``html``."""
    if form == "html":
        from toolchain.scan.html import to_html

        return to_html(scanned)
    if form == "sarif":
        from toolchain.scan.sarif import to_sarif

        return visible_json(to_sarif(scanned))
    if form == "json":
        return visible_json(scan_data(scanned, strays))
    return to_text(scanned, strays)


def scan_data(scanned: Sequence[Scanned], strays: Sequence[str]) -> dict[str, Any]:
    """One plugin's result, or those of a folder of plugins with what lies beside them unscanned."""
    if len(scanned) == 1 and not strays:
        return scanned[0].result.to_json()
    return {
        "schema": "mixpeek.scan.collection/1",
        "passed": all(one.result.passed for one in scanned),
        "plugins": [{"plugin": one.label, **one.result.to_json()} for one in scanned],
        "unscanned": list(strays),
    }


def to_text(scanned: Sequence[Scanned], strays: Sequence[str]) -> str:
    """Findings and a verdict for each plugin; for several a summary."""
    lines = [line for one in scanned for line in _one(one)]
    if strays:
        lines.append(f"not part of a plugin, not scanned: {_names(strays)}")
    if len(scanned) > 1:
        failed = [one.label for one in scanned if not one.result.passed]
        verdict = f"failed: {_names(failed)}" if failed else "passed"
        lines.append(f"{len(scanned)} plugins, {verdict}")
    return "\n".join(lines)


def _one(one: Scanned) -> Iterator[str]:
    result = one.result
    for finding in result.findings[:_SHOWN_FINDINGS]:
        yield from _finding(finding)
    if len(result.findings) > _SHOWN_FINDINGS:
        yield f"... and {len(result.findings) - _SHOWN_FINDINGS:,} more (--format json shows all)"
    if result.left_out:
        yield f"never packed, not scanned: {_names(result.left_out)}"
    stats, count = result.stats, len(result.active)
    found = counted(count, "finding")
    accepted = len(result.findings) - count
    found += f", {accepted:,} accepted" if accepted else ""
    how = "unchanged" if stats["cached"] else f"{stats['seconds']:.2f} s"
    lines = f"{counted(stats['files'], 'file')}, {counted(stats['lines'], 'line')} of Python"
    yield f"{one.label}: {'passed' if result.passed else 'FAILED'}, {found} in {lines}, {how}"


def _finding(finding: ScanFinding) -> Iterator[str]:
    mark = "accepted" if finding.suppressed else finding.level
    place = f"{finding.file}:{finding.line}: " if finding.file else ""
    yield f"{place}{mark} [{finding.power} {finding.rule}] {finding.message}"
    if finding.source.strip():
        yield f"    | {finding.source.strip()}"
    if finding.trail:
        yield f"    reached by {' > '.join(finding.trail)}"
    if len(finding.tools) > 1:
        yield f"    found by {' and '.join(finding.tools)}"
    yield f"    accepted: {finding.suppressed}" if finding.suppressed else f"    fix: {finding.remedy}"


def _names(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN_NAMES
    return ", ".join(names[:_SHOWN_NAMES]) + (f" and {more:,} more" if more > 0 else "")
