"""``mixpeek sandbox clean``."""

from __future__ import annotations

from contextlib import closing

import click

from sandbox.leftovers import Leftover, remove_leftovers
from toolchain.cli.output import Result, finish
from toolchain.core.containers import connect_running
from toolchain.core.errors import ExitCode
from toolchain.core.findings import Finding, Severity


@click.command("clean")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(*, as_json: bool) -> None:
    """Remove the containers that crashed runs on this machine left; those of living runs stay."""
    running = connect_running()
    if running is None:
        text = "no engine is running, so nothing of ours is: nothing to clean"
        finish(Result("sandbox clean", ExitCode.PASSED, text, {"leftovers": []}), as_json=as_json)
    with closing(running) as engine:
        found = remove_leftovers(engine)
    stuck = tuple(_finding(one) for one in found if one.problem)
    lines = [f"removed {one.name}: {one.state}, made by process {one.process}" for one in found if not one.problem]
    lines += [f"could not remove {one.name}: {one.problem}" for one in found if one.problem]
    code = ExitCode.COULD_NOT_TELL if stuck else ExitCode.PASSED
    data = {"leftovers": [one.to_json() for one in found]}
    text = "\n".join(lines or ["nothing was left"])
    finish(Result("sandbox clean", code, text, data, stuck), as_json=as_json)


def _finding(leftover: Leftover) -> Finding:
    message = f"{leftover.name} is still there: {leftover.problem}"
    return Finding(Severity.UNKNOWN, "sandbox.leftover", message, "remove it with the engine's own program")
