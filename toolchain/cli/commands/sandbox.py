"""``mixpeek sandbox``: its policies, its walls, its leftovers."""

from __future__ import annotations

import click

from toolchain.cli.commands import sandbox_check, sandbox_clean, sandbox_policy


@click.group("sandbox")
def command() -> None:
    """Show the sandbox's policies, probe its walls, remove what crashed runs left."""


for one in (sandbox_policy, sandbox_check, sandbox_clean):
    command.add_command(one.command)
