"""``mixpeek registry log``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
        from registry.access import Keys
        from registry.log import newest, verify_log

        with opened.read() as session:
            broken, entries = verify_log(session), newest(session, last)
        names = {row.key_id: row.label for row in Keys(opened).listed()}
    lines = [
        f"{entry['number']:>7}  {entry['at']}  {entry['kind']:<20}  {entry['namespace_id']}  {entry['subject']}"
        + _more(entry["body"], names)
        for entry in entries
    ]
    lines.append("the chain holds" if broken is None else f"BROKEN at entry {broken}")
    code = ExitCode.PASSED if broken is None else ExitCode.COULD_NOT_TELL
    told = {"holds": broken is None, "broken_at": broken, "entries": entries}
    finish(Result("registry log", code, "\n".join(lines), told), as_json=as_json)


def _more(body: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What people ask of an entry: the verdict, who it was, and why."""
    by = body.get("by") or body.get("publisher")
    who = f"by {by}" + (f" ({names[by]})" if by in names else "") if by else ""
    words = (body.get("verdict"), who, body.get("reason"))
    told = [" ".join(str(word).split()) for word in words if word]
    return "".join(f"  {word}" for word in told)
