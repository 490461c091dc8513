"""``mixpeek plugin diff``."""

from __future__ import annotations

from pathlib import Path

import click

from toolchain.cli.output import Result, finish
from toolchain.core.errors import ExitCode
from toolchain.plugin.manifest import SourceProblem, parse_source, read_manifest
from toolchain.scan import ScanOptions, scan
from toolchain.scan.difference import Difference, compare


@click.command("diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Apply the platform's stricter published list.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(old: Path, new: Path, *, strict: bool, as_json: bool) -> None:
    """Show what findings, files, dependencies and powers changed between two versions of a plugin.

    Exit status: 0 nothing dangerous was added, 1 new findings, 2 wrong usage, 3 could not tell.
    """
    options = ScanOptions(strict=strict)
    difference = compare(scan(old, options), scan(new, options), (_dependencies(old), _dependencies(new)))
    code = ExitCode.PLUGIN_AT_FAULT if difference.findings_added else ExitCode.PASSED
    finish(Result("plugin diff", code, _render(difference), difference.to_json()), as_json=as_json)


def _dependencies(plugin: Path) -> frozenset[str]:
    manifest = plugin / "manifest.py"
    tree = parse_source(manifest.read_bytes(), "manifest.py") if manifest.is_file() else None
    if tree is None or isinstance(tree, SourceProblem):
        return frozenset()
    return frozenset(name for name, _ in read_manifest(tree).dependencies)


def _render(difference: Difference) -> str:
    lines: list[str] = []
    for name, items in difference.to_json().items():
        if items:
            lines += [f"{name.replace('_', ' ')}:", *(f"  {item}" for item in items)]
    return "\n".join(lines) or "No difference."
