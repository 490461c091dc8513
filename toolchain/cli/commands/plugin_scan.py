# data tables
# ruff: noqa: E501
"""``mixpeek plugin scan``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click

from toolchain.cli.output import Result, finish
from toolchain.core.errors import ExitCode
from toolchain.scan import ScanOptions, ScanResult, scan


@click.command("scan")
@click.argument("target", type=click.Path(path_type=Path), default=Path())
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif", "html"]),
    default="text",
    show_default=True,
    help="How to print the result.",
)
@click.option("--strict", is_flag=True, help="Apply the platform's stricter published list; warnings fail.")
@click.option(
    "--fail-on",
    type=click.Choice(["forbidden", "warned", "never"]),
    default="forbidden",
    show_default=True,
    help="Which findings fail the command.",
)
@click.option(
    "--baseline",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The reviewer's file of accepted findings.",
)
@click.option("--no-cache", is_flag=True, help="Judge again even if nothing has changed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    target: Path, form: str, fail_on: str, baseline: Path | None, *, strict: bool, no_cache: bool, as_json: bool
) -> None:
    """Scan a plugin's folder or archive for what a plugin may not do.

    No file of it is imported, unpickled or executed.

    Exit status: 0 passed, 1 the plugin is at fault, 2 wrong usage, 3 could not tell.
    """
    options = ScanOptions(strict=strict, baseline=baseline, cache=None if no_cache else _cache_folder())
    result = scan(target, options)
    code = ExitCode.PLUGIN_AT_FAULT if _fails(result, fail_on, strict=strict) else ExitCode.PASSED
    if as_json:
        findings = tuple(finding.as_finding() for finding in result.findings)
        finish(Result("plugin scan", code, "", result.to_json(), findings), as_json=True)
    finish(Result("plugin scan", code, _render(result, form, target)), as_json=False)


def _fails(result: ScanResult, fail_on: str, *, strict: bool) -> bool:
    levels = {"forbidden": {"forbidden"}, "warned": {"forbidden", "warned"}, "never": set[str]()}[fail_on]
    if strict and fail_on == "forbidden":
        levels = {"forbidden", "warned"}
    return any(finding.level in levels for finding in result.active)


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "mixpeek" / "scan"


def _render(result: ScanResult, form: str, target: Path) -> str:
    if form == "json":
        return json.dumps(result.to_json(), indent=2, ensure_ascii=False)
    if form == "sarif":
        from toolchain.scan.sarif import to_sarif

        return json.dumps(to_sarif(result), indent=2, ensure_ascii=False)
    if form == "html":
        from toolchain.scan.html import to_html

        return to_html(result, target.resolve().name)
    return _text(result)


def _text(result: ScanResult) -> str:
    lines: list[str] = []
    for finding in result.findings:
        mark = "accepted" if finding.suppressed else finding.level
        lines.append(f"{finding.file}:{finding.line}: {mark} [{finding.power} {finding.rule}] {finding.message}")
        lines += [f"    {finding.source.strip()}"] if finding.source.strip() else []
        lines += [f"    reached by {' > '.join(finding.trail)}"] if finding.trail else []
        lines.append(f"    next step: {finding.remedy}")
    verdict = "passed" if result.passed else "failed"
    stats = result.stats
    lines.append(
        f"Scan {verdict}: {len(result.active)} findings, {stats['files']} files, {stats['lines']} lines, {stats['seconds']} s"
    )
    return "\n".join(lines)
