"""``mixpeek plugin list``."""

from __future__ import annotations

import os

import click

from toolchain.cli.output import Result, finish
from toolchain.cli.platform import call_of, open_platform
from toolchain.cli.tables import table
from toolchain.core.errors import ExitCode
from toolchain.publish.client.errors import NotThere, ServerRefused
from toolchain.publish.client.models import Plugin
from toolchain.publish.client.platform import Platform

_NO_LIST = "the server lists no built-in extractors"


@click.command("list")
@click.option("-n", "--namespace", metavar="ID", help="Namespace ID [env: MIXPEEK_NAMESPACE].")
@click.option(
    "-s",
    "--source",
    type=click.Choice(["all", "builtin", "custom", "community"]),
    default="all",
    show_default=True,
    help="Whose plugins.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(context: click.Context, namespace: str | None, source: str, *, as_json: bool) -> None:
    """List plugins in a namespace.

    The namespace's own plugins are custom; the platform's extractors are listed beside them where it tells them.
    """
    with open_platform(call_of(context, namespace, os.environ)) as platform:
        custom = [plugin.model_copy(update={"source": plugin.source or "custom"}) for plugin in platform.plugins()]
        others, note = ([], "") if source == "custom" else _extractors(platform)
        namespace = platform.namespace
    found = {plugin.plugin_id: plugin for plugin in (*others, *custom)}
    chosen = [plugin for plugin in found.values() if source in ("all", plugin.source)]
    chosen.sort(key=lambda plugin: (plugin.name, plugin.version or ""))
    if source == "all" and note == _NO_LIST:
        note = ""  # no news to those who did not ask for them
    finish(_result(chosen, namespace, note), as_json=as_json)


def _extractors(platform: Platform) -> tuple[list[Plugin], str]:
    """The platform's own and the community's; a server may have no such list."""
    try:
        return platform.extractors(), ""
    except NotThere:
        return [], _NO_LIST
    except ServerRefused as refusal:
        return [], f"the server's own extractors are not listed: {refusal.message}"


def _result(plugins: list[Plugin], namespace: str, note: str) -> Result:
    lines = [f"{len(plugins)} plugin{'' if len(plugins) == 1 else 's'} in {namespace}"]
    if plugins:
        header = ("name", "version", "source", "state", "review", "id", "description")
        rows = [(header), *(_row(plugin) for plugin in plugins)]
        told = [column for column in zip(*rows, strict=True) if any(column[1:]) or column[0] != "review"]
        head, *body = zip(*told, strict=True)
        lines += ["", *table(head, body)]
    if note:
        lines += ["", note]
    data = {"namespace": namespace, "plugins": [plugin.model_dump() for plugin in plugins]}
    return Result("plugin list", ExitCode.PASSED, "\n".join(lines), data)


def _row(plugin: Plugin) -> tuple[str, ...]:
    """A plugin's cells. A deployment's state, where the server tells it, says more than a validation long past."""
    state = "deployed" if plugin.deployed else plugin.deployment or plugin.validation_status or ""
    description = plugin.description or ""
    short = description if len(description) <= 60 else f"{description[:59]}…"
    return (
        plugin.name,
        plugin.version or "",
        plugin.source or "",
        state,
        plugin.review_status or "",
        plugin.plugin_id,
        short,
    )
