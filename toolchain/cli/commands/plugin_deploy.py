"""``mixpeek plugin deploy``."""

from __future__ import annotations

import os

import click

from toolchain.cli.output import Result, finish
from toolchain.cli.platform import call_of, open_platform
from toolchain.cli.tables import pairs
from toolchain.core.errors import ExitCode


@click.command("deploy")
@click.argument("plugin_id")
@click.option("-n", "--namespace", metavar="ID", help="Namespace ID [env: MIXPEEK_NAMESPACE].")
@click.option("--batch-only", is_flag=True, help="For batches alone, without the realtime endpoint.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(
    context: click.Context, plugin_id: str, namespace: str | None, *, batch_only: bool, as_json: bool
) -> None:
    """Deploy a published plugin; `plugin status --wait` tells how it ends."""
    with open_platform(call_of(context, namespace, os.environ)) as platform:
        deployment = platform.deploy(plugin_id, batch_only=batch_only)
    entries = [
        ("status", deployment.status),
        ("name", deployment.deployment_name),
        ("route", deployment.route_prefix),
        ("seconds, about", deployment.estimated_completion_seconds),
        ("place in the queue", deployment.queue_position),
        ("message", deployment.message),
    ]
    text = "\n".join([plugin_id, *pairs(entries)])
    finish(Result("plugin deploy", ExitCode.PASSED, text, deployment.model_dump()), as_json=as_json)
