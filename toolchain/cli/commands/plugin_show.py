"""``mixpeek plugin show``."""

from __future__ import annotations

import os

import click

from toolchain.cli.output import Result, finish
from toolchain.cli.platform import call_of, open_platform
from toolchain.cli.tables import pairs, table
from toolchain.core.errors import ExitCode
from toolchain.publish.client.models import FactLine, Plugin


@click.command("show")
@click.argument("plugin_id")
@click.option("-n", "--namespace", metavar="ID", help="Namespace ID [env: MIXPEEK_NAMESPACE].")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(context: click.Context, plugin_id: str, namespace: str | None, *, as_json: bool) -> None:
    """Show a published plugin, and what the server verified of it."""
    with open_platform(call_of(context, namespace, os.environ)) as platform:
        plugin = platform.plugin(plugin_id)
    lines = [f"{plugin.name} {plugin.version or ''}".rstrip(), *pairs(_entries(plugin))]
    lines += _decisions(plugin) + facts_table(plugin.facts)
    data = {"plugin": plugin.model_dump()}
    finish(Result("plugin show", ExitCode.PASSED, "\n".join(lines), data), as_json=as_json)


def _decisions(plugin: Plugin) -> list[str]:
    """What reviewers decided, oldest first; nothing for a server that tells nothing."""
    if not plugin.decisions:
        return []
    rows = [(one.verdict, one.author, one.decided_at or "", one.reason) for one in plugin.decisions]
    return ["", *table(("decision", "by", "at", "reason"), rows)]


def facts_table(facts: list[FactLine]) -> list[str]:
    """What a registry found out itself, beside what was claimed; nothing for a server that tells nothing."""
    if not facts:
        return []
    rows = [(f.fact, f.standing, f.claimed or "", f.found or "", f.note) for f in facts]
    return ["", *table(("fact", "standing", "claimed", "found", "note"), rows)]


def _entries(plugin: Plugin) -> list[tuple[str, object]]:
    scan = {True: "passed", False: "failed", None: None}[plugin.security_scan_passed]
    return [
        ("id", plugin.plugin_id),
        ("description", plugin.description),
        ("feature URI", plugin.feature_uri),
        ("validation", plugin.validation_status),
        ("security scan", scan),
        ("review", plugin.review_status),
        ("deployment", plugin.deployment),
        ("deployed", {True: "yes", False: "no", None: None}[plugin.deployed]),
        ("code hash", plugin.code_hash),
        ("archive", plugin.archive_sha256),
        ("created", plugin.created_at),
        ("updated", plugin.updated_at),
    ]
