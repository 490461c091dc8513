"""``mixpeek plugin delete``."""

from __future__ import annotations

import os
import sys

import click

from toolchain.cli.output import Result, finish
from toolchain.cli.platform import call_of, open_platform
from toolchain.core.errors import ExitCode, UsageFault
from toolchain.core.visible import visible


@click.command("delete")
@click.argument("plugin_id")
@click.option("-n", "--namespace", metavar="ID", help="Namespace ID [env: MIXPEEK_NAMESPACE].")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(context: click.Context, plugin_id: str, namespace: str | None, *, yes: bool, as_json: bool) -> None:
    """Delete a published plugin and its deployment; it asks first."""
    with open_platform(call_of(context, namespace, os.environ)) as platform:
        plugin = platform.plugin(plugin_id)
        if not yes:
            _ask(f"{plugin.name} {plugin.version or ''}".rstrip(), platform.namespace)
        deletion = platform.delete(plugin_id)
    text = deletion.message or f"deleted {plugin_id}"
    if deletion.deployment_removed:
        text += "\nits deployment was removed"
    finish(Result("plugin delete", ExitCode.PASSED, text, deletion.model_dump()), as_json=as_json)


def _ask(what: str, namespace: str) -> None:
    if not sys.stdin.isatty():
        remedy = "pass --yes if you are sure"
        raise UsageFault("nobody can be asked whether to delete it", where=what, remedy=remedy)
    if not click.confirm(visible(f"Delete {what} from {namespace}? What uses it will stop working"), err=True):
        raise UsageFault("not deleted", where=what, remedy="nothing was changed")
