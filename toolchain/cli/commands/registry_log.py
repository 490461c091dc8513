"""``mixpeek registry log``."""

from __future__ import annotations

from pathlib import Path

import click

from toolchain.cli.output import Result, finish
from toolchain.cli.registry_options import opened_database, place_options
from toolchain.core.errors import ExitCode


@click.command("log")
@click.option("--last", type=click.IntRange(min=0), default=20, help="How many entries to show [default: 20].")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def log_command(last: int, data: Path, database: str | None, *, as_json: bool) -> None:
    """Check the hash chain of the log and show its end.

    Exit status: 0 the chain holds, 3 it is broken: entries were changed or removed behind the registry's back.
    """
    with opened_database(data, database) as opened:
        from registry.log import newest, verify_log

        with opened.read() as session:
            broken, entries = verify_log(session), newest(session, last)
    lines = [
        f"{entry['number']:>7}  {entry['at']}  {entry['kind']:<20}  {entry['namespace_id']}  {entry['subject']}"
        for entry in entries
    ]
    lines.append("the chain holds" if broken is None else f"BROKEN at entry {broken}")
    code = ExitCode.PASSED if broken is None else ExitCode.COULD_NOT_TELL
    told = {"holds": broken is None, "broken_at": broken, "entries": entries}
    finish(Result("registry log", code, "\n".join(lines), told), as_json=as_json)
