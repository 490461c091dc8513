"""``mixpeek plugin status``."""

from __future__ import annotations

import os

import click

from toolchain.cli.output import Result, finish
from toolchain.cli.platform import call_of, open_platform
from toolchain.cli.tables import pairs
from toolchain.cli.talk import reporter
from toolchain.core.errors import ExitCode
from toolchain.publish.client.models import DeploymentStatus
from toolchain.publish.publishing import Teller, Waiting, wait_for_deployment


@click.command("status")
@click.argument("plugin_id")
@click.option("-n", "--namespace", metavar="ID", help="Namespace ID [env: MIXPEEK_NAMESPACE].")
@click.option("--wait", is_flag=True, help="Wait until the deployment has ended.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(
    context: click.Context, plugin_id: str, namespace: str | None, timeout: float, *, wait: bool, as_json: bool
) -> None:
    """Check the status of a deployment.

    Exit status: 0 unless the deployment failed (1) or, with --wait, there is none (1) or it had not ended in time
    (3).
    """
    with open_platform(call_of(context, namespace, os.environ)) as platform:
        if wait:
            talk = reporter(as_json=as_json)
            with talk.phase("status") as phase:
                status = wait_for_deployment(platform, plugin_id, Waiting(timeout), Teller(talk, phase))
                phase.result = status.status
        else:
            status = platform.status(plugin_id)
    finish(_result(plugin_id, status), as_json=as_json)


def _result(plugin_id: str, status: DeploymentStatus) -> Result:
    entries = [
        ("status", status.status),
        ("route", status.route_prefix),
        ("queued", status.queued_at),
        ("error", status.error),
        ("message", status.message if status.message != status.error else None),
    ]
    code = ExitCode.PLUGIN_AT_FAULT if status.status == "failed" else ExitCode.PASSED
    text = "\n".join([plugin_id, *pairs(entries)])
    return Result("plugin status", code, text, {"plugin_id": plugin_id, **status.model_dump()})
