"""``mixpeek registry key``: who may do what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from toolchain.cli.output import Result, finish
from toolchain.cli.registry_options import opened_database, place_options
from toolchain.core.errors import ExitCode, UsageFault


@click.group("key")
def key_group() -> None:
    """Create, list and revoke bearer keys."""


@key_group.command("create")
@click.argument("label")
@click.option(
    "--role", type=click.Choice(["publisher", "reviewer", "admin"]), required=True, help="What it may do."
)
@click.option(
    "-n", "--namespace", "namespaces", multiple=True, required=True, help="A namespace it opens; * for all."
)
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def create(
    label: str, role: str, namespaces: tuple[str, ...], data: Path, database: str | None, *, as_json: bool
) -> None:
    """Make a key and show it, once: the registry keeps only its digest."""
    with opened_database(data, database, make=True) as opened:
        from registry.access import Keys, Role

        key_id, key = Keys(opened).create(label, Role(role), namespaces)
    if not as_json:
        # On stderr: stdout is the key alone, for scripts.
        click.echo(f"{key_id}: {role} in {', '.join(namespaces)}; the key is shown this once:", err=True)
    told = {"key_id": key_id, "key": key, "label": label, "role": role, "namespaces": list(namespaces)}
    finish(Result("registry key create", ExitCode.PASSED, key, told), as_json=as_json)


@key_group.command("list")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def list_command(data: Path, database: str | None, *, as_json: bool) -> None:
    """Show every key but the keys themselves."""
    with opened_database(data, database) as opened:
        from registry.access import Keys

        rows = Keys(opened).listed()
    keys: list[dict[str, Any]] = [
        {
            "key_id": row.key_id,
            "label": row.label,
            "role": row.role,
            "namespaces": row.namespaces,
            "created_at": row.created_at.isoformat(),
            "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
        }
        for row in rows
    ]
    lines = [
        f"{key['key_id']}  {key['role']:<9}  {'revoked' if key['revoked_at'] else 'valid':<7}  "
        f"{','.join(key['namespaces']):<20}  {key['label']}"
        for key in keys
    ]
    finish(Result("registry key list", ExitCode.PASSED, "\n".join(lines), {"keys": keys}), as_json=as_json)


@key_group.command("revoke")
@click.argument("key_id")
@place_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def revoke(key_id: str, data: Path, database: str | None, *, as_json: bool) -> None:
    """End a key at once, with the browser sessions that it opened."""
    with opened_database(data, database) as opened:
        from registry.access import Keys

        done = Keys(opened).revoke(key_id)
    if not done:
        raise UsageFault("no valid key has this id", where=key_id, remedy="see `mixpeek registry key list`")
    finish(
        Result("registry key revoke", ExitCode.PASSED, f"revoked {key_id}", {"key_id": key_id}), as_json=as_json
    )
