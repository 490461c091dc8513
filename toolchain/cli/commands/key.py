"""``mixpeek key``: the key that signs releases, and those whose releases are trusted."""

from __future__ import annotations

import os
from pathlib import Path

import click

from toolchain.cli.keys import key_store
from toolchain.cli.output import Result, finish
from toolchain.core.errors import ExitCode
from toolchain.publish.keys import OWN, TrustedKey, public_pem


@click.group("key")
def command() -> None:
    """Make, show and trust the keys that sign releases."""


@command.command("generate")
@click.option("--replace", is_flag=True, help="Make a new key; what the old one signed stays trusted here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def generate_command(*, replace: bool, as_json: bool) -> None:
    """Make the Ed25519 key that signs your releases."""
    made = key_store(os.environ).generate(replace=replace)
    text = (
        f"key {made.keyid}\npublic half: {made.path}\nOthers trust it with `mixpeek key trust {made.path.name}`."
    )
    finish(Result("key generate", ExitCode.PASSED, text, {"key": _json(made)}), as_json=as_json)


@command.command("show")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def show_command(*, as_json: bool) -> None:
    """Show your public key and the keys that you trust."""
    keys = [key for key, _ in key_store(os.environ).trusted().values()]
    lines = [f"{key.name:<20} {key.keyid}  {key.path}" for key in keys]
    text = "\n".join(lines) if lines else "no keys; make yours with `mixpeek key generate`"
    finish(Result("key show", ExitCode.PASSED, text, {"keys": [_json(key) for key in keys]}), as_json=as_json)


@command.command("trust")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--name", help="What to call it [default: the file's name].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def trust_command(file: Path, name: str | None, *, as_json: bool) -> None:
    """Trust releases that a public key signed."""
    wanted = name or file.stem
    key = key_store(os.environ).trust(file, wanted)
    text = f"trusted as {key.name}: {key.keyid}"
    if key.name != wanted:
        text = f"trusted already as {key.name}, and keeps that name: {key.keyid}\n"
        text += f"A policy names it {key.name!r} or by its id"
        text += "." if key.name == OWN else f"; for another name remove {key.path} first."
    finish(Result("key trust", ExitCode.PASSED, text, {"key": _json(key)}), as_json=as_json)


def _json(key: TrustedKey) -> dict[str, str]:
    return {"name": key.name, "id": key.keyid, "path": str(key.path), "public": public_pem(key.path)}
