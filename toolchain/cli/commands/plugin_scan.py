"""``mixpeek plugin scan``."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import click

from images.environment import cache_directory
from toolchain.cli.output import Result, finish
from toolchain.cli.scan_rendering import render, scan_data, to_text
from toolchain.core.errors import ExitCode, UsageFault
from toolchain.core.files import write_whole
from toolchain.core.findings import Finding, ordered
from toolchain.core.places import state_dir
from toolchain.core.sealed import SealedPlace
from toolchain.core.sizes import counted
from toolchain.scan import Scanned, ScanOptions, ScanResult, plugins_in, require_code, scan, strays_in
from toolchain.scan.model import FailOn

_FORMATS = ("text", "json", "sarif", "html")
_ACCEPTED_DAYS = 90


@click.command("scan")
@click.argument("target", type=click.Path(path_type=Path), default=Path(), metavar="[PATH|ARCHIVE|DIR-OF-PLUGINS]")
@click.option(
    "--format", "form", type=click.Choice(_FORMATS), default="text", show_default=True, help="Form of the report."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the report to a file."
)
@click.option("--strict", is_flag=True, help="Apply the platform's stricter published list; warnings fail.")
@click.option(
    "--fail-on",
    type=click.Choice(["forbidden", "warned", "never"]),
    help="Which findings fail [default: forbidden; with --strict: warned].",
)
@click.option(
    "--baseline", type=click.Path(path_type=Path), metavar="FILE", help="The reviewer's file of accepted findings."
)
@click.option(
    "--write-baseline",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Accept what is found, in a file outside of the plugin; needs --reason.",
)
@click.option("--reason", metavar="TEXT", help="Why it is accepted.")
@click.option("--author", metavar="NAME", help="Who accepts it [default: git's user.name].")
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help=f"Last day of the acceptance, as 2030-01-31 [default: in {_ACCEPTED_DAYS} days].",
)
@click.option("--no-cache", is_flag=True, help="Judge again even if nothing has changed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(  # noqa: PLR0917 - click passes by name
    target: Path,
    form: str,
    output: Path | None,
    fail_on: FailOn | None,
    baseline: Path | None,
    write_baseline: Path | None,
    reason: str | None,
    author: str | None,
    expires: datetime | None,
    *,
    strict: bool,
    no_cache: bool,
    as_json: bool,
) -> None:
    """Scan a plugin for what it may not do.

    No file of it is imported, compiled to be run, unpickled or executed. A folder of plugins gets one verdict for
    each and one for all.

    Exit status: 0 passed, 1 the plugin is at fault, 2 wrong usage, 3 could not tell.
    """
    if form != "text" and as_json and output is None:
        raise UsageFault(
            "--json and --format exclude each other on one output", remedy="give --output FILE as well"
        )
    options = ScanOptions(
        strict=strict, fail_on=fail_on, baseline=baseline, cache=None if no_cache else _cache_place()
    )
    acceptance = _acceptance(write_baseline, reason, author, expires)
    scanned = _scan_all(target, options, acceptance)
    strays = strays_in(target) if plugins_in(target) else ()
    text = to_text(scanned, strays)
    if output is not None:
        write_whole(output, f"{render(scanned, strays, form)}\n".encode("utf-8", "backslashreplace"))
        text += f"\nreport written: {output}"
    if acceptance is not None:
        text += f"\n{_accepted(scanned, acceptance)}"
    passed = all(one.result.passed for one in scanned)
    code = ExitCode.PASSED if passed else ExitCode.PLUGIN_AT_FAULT
    shown = text if form == "text" or output is not None else render(scanned, strays, form)
    finish(Result("plugin scan", code, shown, scan_data(scanned, strays), _findings(scanned)), as_json=as_json)


@dataclass(frozen=True)
class _Acceptance:
    file: Path
    reason: str
    author: str
    expires: datetime


def _acceptance(
    file: Path | None, reason: str | None, author: str | None, expires: datetime | None
) -> _Acceptance | None:
    if file is None:
        if reason or author or expires:
            raise UsageFault("nothing is accepted without a file", remedy="give --write-baseline FILE as well")
        return None
    if not reason:
        raise UsageFault("an acceptance needs a reason", remedy='give --reason "why this is safe here"')
    from toolchain.plugin.scaffold import UNKNOWN_AUTHOR, default_author

    author = author or default_author()
    if author == UNKNOWN_AUTHOR:
        raise UsageFault("an acceptance needs a name", remedy="give --author NAME, or set git's user.name")
    later = datetime.now(timezone.utc) + timedelta(days=_ACCEPTED_DAYS)
    return _Acceptance(file, reason, author, expires or later)


def _accepted(scanned: list[Scanned], acceptance: _Acceptance) -> str:
    count = sum(finding.suppressed is not None for one in scanned for finding in one.result.findings)
    until = f"until {acceptance.expires.date()}, by {acceptance.author}"
    return f"baseline written: {acceptance.file} ({counted(count, 'finding')} accepted {until})"


def _scan_all(target: Path, options: ScanOptions, acceptance: _Acceptance | None) -> list[Scanned]:
    plugins = plugins_in(target)
    labelled = [(path.name, path) for path in plugins] or [(target.resolve().name, target)]
    return [Scanned(label, _scan_one(path, options, acceptance)) for label, path in labelled]


def _scan_one(path: Path, options: ScanOptions, acceptance: _Acceptance | None) -> ScanResult:
    result = scan(path, options)
    require_code(path, result)
    if acceptance is None:
        return result
    from toolchain.scan.baseline import SignOff, write_baseline

    sign_off = SignOff(acceptance.reason, acceptance.author, acceptance.expires.date())
    write_baseline(result, acceptance.file, path, sign_off)
    return scan(path, replace(options, baseline=acceptance.file))


def _findings(scanned: list[Scanned]) -> tuple[Finding, ...]:
    """As every command shows its findings; in a folder of plugins under the plugin's name."""
    prefixes = [f"{one.label}/" if len(scanned) > 1 else "" for one in scanned]
    return ordered(
        replace(finding.as_finding(), file=f"{prefix}{finding.file}")
        for one, prefix in zip(scanned, prefixes, strict=True)
        for finding in one.result.findings
    )


def _cache_place() -> SealedPlace:
    return SealedPlace(cache_directory() / "scan", state_dir(os.environ) / "scan.key")
