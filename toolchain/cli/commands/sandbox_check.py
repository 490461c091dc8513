"""``mixpeek sandbox check``."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import click

from sandbox.policy import LEVELS
from sandbox.probes.judge import Judged
from toolchain.check.walls import WallReport, check_walls
from toolchain.cli.output import Result, finish
from toolchain.cli.talk import reporter
from toolchain.core.containers import options_from_environment


@click.command("check")
@click.option(
    "--level", type=click.Choice(list(LEVELS)), default="default", show_default=True, help="Which policy."
)
@click.option(
    "-p",
    "--path",
    type=click.Path(path_type=Path),
    metavar="PLUGIN",
    help="Probe in an image with this plugin's dependencies; those we know are tried too.",
)
@click.option("--engine", type=click.Choice(["docker", "podman"]), help="Kind of engine that is tried first.")
@click.option("-v", "--verbose", is_flag=True, help="Show every probe.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(level: str, path: Path | None, engine: str | None, *, verbose: bool, as_json: bool) -> None:
    """Probe the sandbox's walls from inside, as a plugin would.

    Tried is what must fail, each with the error that it must fail with, and what has to work. Exit status: 0
    when every probe came out as expected, 3 when one did not or could not be tried: what runs behind such a wall
    cannot be trusted.
    """
    options = options_from_environment(preferred=engine)  # type: ignore[arg-type]  # click has checked it
    report = check_walls(level, options, reporter(as_json=as_json), path)
    text = "\n".join(_lines(report, verbose=verbose))
    finish(Result("sandbox check", report.exit_code, text, report.to_json(), report.findings), as_json=as_json)


def _lines(report: WallReport, *, verbose: bool) -> Iterator[str]:
    judged, failed = report.run.judged, report.run.failed
    yield f"level {report.level} on {report.place}, {report.run.seconds:.1f} s"
    width = max(len(one.probe.wall) for one in judged)
    for wall, group in groupby(sorted(judged, key=lambda one: one.probe.wall), key=lambda one: one.probe.wall):
        probes = list(group)
        bad = sum(not one.holds for one in probes)
        yield f"{'FAIL' if bad else 'ok':4}  {wall:{width}}  {len(probes) - bad} of {len(probes)} as expected"
        yield from (line for one in probes if verbose or not one.holds or one.reason for line in _details(one))
    yield f"\n{len(judged) - len(failed)} of {len(judged)} as expected"


def _details(one: Judged) -> Iterator[str]:
    mark = "differs" if one.reason and one.holds else "as expected" if one.holds else "NOT AS EXPECTED"
    yield f"        {one.probe.id}: {one.probe.what}: {one.seen} ({mark})"
    if not one.holds:
        yield f"            expected {' or '.join(one.expected)}: {one.probe.why}"
    elif one.reason:
        yield f"            {one.reason}"
