"""``mixpeek registry``: run and keep a registry of one's own."""

from __future__ import annotations

import click

from toolchain.cli.commands.registry_key import key_group
from toolchain.cli.commands.registry_log import log_command
from toolchain.cli.commands.registry_migrate import migrate_command
from toolchain.cli.commands.registry_quota import quota_command
from toolchain.cli.commands.registry_serve import serve_command


@click.group("registry")
def command() -> None:
    """Run a registry of your own: the platform's API and the reviewers' pages."""


for one in (serve_command, key_group, quota_command, log_command, migrate_command):
    command.add_command(one)
