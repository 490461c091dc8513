"""``mixpeek plugin pack``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from toolchain.cli.output import Result, finish
from toolchain.cli.platform import call_of
from toolchain.cli.rendering import render_findings
from toolchain.cli.talk import reporter
from toolchain.core.errors import ExitCode
from toolchain.publish.archive import Format
from toolchain.publish.packing import PackedPlugin, PackOrder, PackOutcome, pack_plugin


@click.command("pack")
@click.option(
    "-p", "--path", type=click.Path(path_type=Path), default=Path(), help="Plugin directory [default: this one]."
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the archive [default: dist]."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["tar.gz", "zip"]),
    default="tar.gz",
    show_default=True,
    help="The archive's format.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.pass_context
def command(context: click.Context, path: Path, output: Path | None, form: Format, *, as_json: bool) -> None:
    """Pack a plugin into its archive, the same bytes wherever it is packed.

    Version control, environments, caches and secrets are left out, and what .mixpeekignore names. Nothing of the
    plugin is run.
    """
    secret = call_of(context, None, os.environ).settings.get("api_key")
    outcome = pack_plugin(PackOrder(path, output, form, secret), reporter(as_json=as_json))
    finish(_result(outcome), as_json=as_json)


def _result(outcome: PackOutcome) -> Result:
    lines = render_findings(outcome.findings)
    if outcome.packed is None:
        text = "\n".join([*lines, "", "not packed"])
        return Result("plugin pack", ExitCode.PLUGIN_AT_FAULT, text, {"archive": None}, outcome.findings)
    packed = outcome.packed
    lines += [
        str(packed.path),
        f"  archive sha256:{packed.reading.archive_sha256}",
        f"  tar     sha256:{packed.reading.tar_sha256}",
        f"  files   sha256:{packed.reading.files_sha256}",
    ]
    return Result("plugin pack", ExitCode.PASSED, "\n".join(lines), packed_json(packed), outcome.findings)


def packed_json(packed: PackedPlugin) -> dict[str, object]:
    """An archive as commands describe it."""
    reading = packed.reading
    return {
        "name": packed.name,
        "version": packed.version,
        "archive": str(packed.path),
        "format": reading.format,
        "bytes": reading.archive_bytes,
        "extracted_bytes": reading.extracted_bytes,
        "archive_sha256": reading.archive_sha256,
        "tar_sha256": reading.tar_sha256,
        "files_sha256": reading.files_sha256,
        "files": [member.name for member in reading.members],
    }
