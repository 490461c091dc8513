"""The report of ``plugin test`` for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from toolchain.check.report import CheckResult, Status, TestReport
from toolchain.cli.behaviour_rendering import render_behaviour
from toolchain.cli.tables import table
from toolchain.core.errors import ExitCode
from toolchain.core.findings import Finding

_MARKS = {
    Status.PASSED: "ok",
    Status.FAILED: "FAIL",
    Status.UNKNOWN: "?",
    Status.ABSENT: "-",
    Status.NOT_RUN: "?",
}
_WORDS = {
    ExitCode.PASSED: "PASSED",
    ExitCode.PLUGIN_AT_FAULT: "FAILED",
    ExitCode.COULD_NOT_TELL: "COULD NOT TELL",
    ExitCode.USAGE: "USAGE",
}
_PLURALS = {"error": "errors", "warning": "warnings", "note": "notes"}
_SHOWN_FINDINGS = 100
_SHOWN_AT_A_LINE = 3


def render_report(report: TestReport, *, verbose: bool) -> str:
    """The report as lines: checks, steps, problems with remedies, what the engine observed, the verdict."""
    title = f"{report.plugin['name'] or '(no name)'} {report.plugin['version'] or ''}".rstrip()
    lines = [f"{title} ({report.plugin['path']})", ""]
    lines += [_check(check) for check in report.checks]
    lines += _steps(report)
    if report.behaviour is not None:
        lines += render_behaviour(report.behaviour, closely=report.behaviour["watch"] == "everything")
    lines += render_findings(report.findings)
    if verbose:
        lines += [line for text in report.details for line in ("", *text.splitlines())]
    lines += _observed(report)
    lines += ["", f"{_WORDS[report.exit_code]}{_counts(report.findings)}"]
    return "\n".join(lines)


def _check(check: CheckResult) -> str:
    source = "" if check.status in {Status.ABSENT, Status.NOT_RUN} else f"  [{check.source.value}]"
    return f"  {_MARKS[check.status]:<4}  {check.name:<10}  {check.detail}{source}"


def _steps(report: TestReport) -> list[str]:
    steps = ((report.samples or {}).get("claimed") or {}).get("steps")
    if not isinstance(steps, list) or not steps:
        return []
    header = ("step", "condition", "rows", "batches", "time", "rows/s", "peak memory", "new columns")
    return ["", *table(header, [_step(step) for step in steps if isinstance(step, dict)])]


def _step(step: dict[str, Any]) -> tuple[str, ...]:
    peak = step.get("peak_memory_bytes")
    columns = step.get("new_columns")
    return (
        str(step.get("name")),
        str(step.get("condition")),
        f"{step.get('rows_matched')}/{step.get('rows')}",
        str(step.get("batches")),
        f"{_number(step.get('seconds')):.3f} s",
        f"{_number(step.get('rows_per_second')):,.0f}",
        f"+{peak / 2**20:.0f} MiB" if isinstance(peak, int) else "?",
        ", ".join(map(str, columns)) if isinstance(columns, list) else "",
    )


def render_findings(findings: Sequence[Finding]) -> list[str]:
    """Each finding with its place and its remedy, as lines; of many of a kind at one line the first few."""
    lines = []
    for line, group in groupby(findings[:_SHOWN_FINDINGS], key=_line_of):
        same = list(group)
        shown = same[:_SHOWN_AT_A_LINE] if line[-1] else same
        lines += [text for finding in shown for text in _finding(finding)]
        if len(same) > len(shown):
            lines.append(f"  … and {len(same) - len(shown)} more of these at {same[0].file}:{same[0].line}")
    if len(findings) > _SHOWN_FINDINGS:
        lines.append(f"… and {len(findings) - _SHOWN_FINDINGS} more (--json shows all)")
    return lines


def _line_of(finding: Finding) -> tuple[str, str, str | None, int | None]:
    return (finding.rule, finding.remedy, finding.file, finding.line)


def _finding(finding: Finding) -> list[str]:
    place = f"{finding.file}:{finding.line}: " if finding.line else f"{finding.file}: " if finding.file else ""
    return [
        "",
        f"{finding.severity.value}: {place}{finding.message}  [{finding.rule}]",
        f"  fix: {finding.remedy}",
    ]


def _observed(report: TestReport) -> list[str]:
    """What the engine, not the plugin, says."""
    facts = report.evidence.get("observed")
    if not isinstance(facts, dict):
        return []
    held = facts["confinement"]
    return [
        "",
        f"Observed by the engine ({facts['engine']}):",
        f"  image {facts['image_id'][:19]}, network {held['network']}, user {held['user']}, "
        f"capabilities dropped {_joined(held['capabilities_dropped'])}",
        f"  read-only root {_yes(held['read_only_root'])}, no new privileges {_yes(held['no_new_privileges'])}, "
        f"seccomp profile {str(held['seccomp'])[:12]}, memory {held['memory_bytes'] // 2**20} MiB, "
        f"processes {held['processes']}",
        f"  exit status {facts['exit_code']}, out of memory {_yes(facts['out_of_memory'])}, "
        f"killed at the deadline {_yes(facts['timed_out'])}, {facts['seconds']:.2f} s",
    ]


def _counts(findings: Sequence[Finding]) -> str:
    counts: dict[str, int] = {}
    for finding in findings:
        counts[finding.severity.value] = counts.get(finding.severity.value, 0) + 1
    told = ", ".join(
        f"{count} {_PLURALS.get(name, name) if count > 1 else name}" for name, count in counts.items()
    )
    return f" ({told})" if told else ""


def _joined(values: Iterable[str] | None) -> str:
    return ", ".join(values or ()) or "none"


def _yes(value: object) -> str:
    return "yes" if value else "no"


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
