"""``mixpeek registry quota``."""

from __future__ import annotations

from pathlib import Path

import click

from toolchain.cli.output import Result, finish
from toolchain.cli.registry_options import opened_database, place_options
from toolchain.core.errors import ExitCode


@click.command("quota")
@click.argument("namespace")
@click.argument("plugins", type=click.IntRange(min=0))
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def quota_command(namespace: str, plugins: int, data: Path, database: str | None, *, as_json: bool) -> None:
    """Set how many plugins a namespace may hold [default: 10]."""
    with opened_database(data, database) as opened:
        from registry.access.quotas import set_quota

        set_quota(opened, namespace, plugins)
    told = {"namespace": namespace, "plugins": plugins}
    finish(Result("registry quota", ExitCode.PASSED, f"{namespace}: {plugins} plugins", told), as_json=as_json)
