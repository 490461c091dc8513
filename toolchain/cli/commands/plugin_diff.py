"""``mixpeek plugin diff``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from toolchain.cli.output import Result, finish
from toolchain.core.errors import ExitCode
from toolchain.scan import ScanFinding, ScanOptions, ScanResult, require_code, scan
from toolchain.scan.difference import Difference, compare


@click.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Apply the platform's stricter published list.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(old: Path, new: Path, *, strict: bool, as_json: bool) -> None:
    """Show what changed between two versions of a plugin.

    OLD and NEW are folders or archives. Findings, files, dependencies, permissions and classes of power are
    compared; nothing of either is executed.

    Exit status: 0 nothing forbidden was added, 1 something was, 2 wrong usage, 3 could not tell.
    """
    options = ScanOptions(strict=strict)
    difference = compare(_scanned(old, options), _scanned(new, options))
    code = ExitCode.PLUGIN_AT_FAULT if difference.more_dangerous else ExitCode.PASSED
    added = tuple(finding.as_finding() for finding in difference.findings_added)
    finish(
        Result("plugin diff", code, "\n".join(_lines(difference)), difference.to_json(), added), as_json=as_json
    )


def _scanned(target: Path, options: ScanOptions) -> ScanResult:
    result = scan(target, options)
    require_code(target, result)
    return result


def _lines(difference: Difference) -> Iterator[str]:
    old, new = difference.versions
    yield f"{old} -> {new}"
    if difference.nothing:
        yield "  no difference"
    sections = (
        ("findings", map(_finding, difference.findings_added), map(_finding, difference.findings_removed)),
        ("classes of power", difference.classes.added, difference.classes.removed),
        ("permissions", difference.permissions.added, difference.permissions.removed),
        ("dependencies", difference.dependencies.added, difference.dependencies.removed),
        ("files", difference.files.added, difference.files.removed),
    )
    for title, added, removed in sections:
        lines = [*(f"  + {line}" for line in added), *(f"  - {line}" for line in removed)]
        if title == "files":
            lines += [f"  ~ {name}" for name in difference.files_changed]
        if lines:
            yield f"{title}:"
            yield from lines


def _finding(finding: ScanFinding) -> str:
    return f"{finding.level} [{finding.power} {finding.rule}] {finding.name} in {finding.file}:{finding.line}"
