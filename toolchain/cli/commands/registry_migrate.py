"""``mixpeek registry migrate``."""

from __future__ import annotations

from pathlib import Path

import click

from toolchain.cli.output import Result, finish
from toolchain.cli.registry_options import database_explained, place_options, require_extra
from toolchain.core.errors import ExitCode


@click.command("migrate")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def migrate_command(data: Path, database: str | None, *, as_json: bool) -> None:
    """Bring the database to this release's schema; `serve` does so too."""
    require_extra()
    from registry.database import Database, migrate
    from registry.settings import RegistrySettings, make_folder

    make_folder(data)
    opened = Database(RegistrySettings(data, "", database).database)
    with database_explained():
        try:
            before, after = migrate(opened)
        finally:
            opened.close()
    text = f"at revision {after} already" if before == after else f"from {before or 'nothing'} to revision {after}"
    finish(Result("registry migrate", ExitCode.PASSED, text, {"from": before, "to": after}), as_json=as_json)
