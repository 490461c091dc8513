"""``mixpeek plugin init``."""

from __future__ import annotations

from pathlib import Path

import click

from toolchain.cli.output import Result, finish
from toolchain.core.errors import ExitCode
from toolchain.plugin.scaffold import (
    CATEGORIES,
    DEFAULT_DESCRIPTION,
    ScaffoldRequest,
    ScaffoldResult,
    create_plugin,
)


@click.command("init")
@click.argument("name")
@click.option("-c", "--category", default="text", show_default=True, help=f"{', '.join(CATEGORIES)}.")
@click.option("-d", "--description", default=DEFAULT_DESCRIPTION, show_default=True, help="Plugin description.")
@click.option("-a", "--author", help="Author name [default: git's user.name].")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), default=Path(), help="Output directory [default: this one]."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    name: str, category: str, description: str, author: str | None, output: Path, *, as_json: bool
) -> None:
    """Create a new plugin from template.

    Six templates: text, image, video, audio, document, multimodal. Each runs as it is.
    """
    created = create_plugin(
        ScaffoldRequest(name=name, category=category, description=description, author=author, output=output)
    )
    data = {"path": str(created.root), "category": category, "files": [str(file) for file in created.files]}
    finish(Result("plugin init", ExitCode.PASSED, _render(created, category), data), as_json=as_json)


def _render(created: ScaffoldResult, category: str) -> str:
    lines = [f"Created {created.root}/ ({category})", *(f"  {file}" for file in created.files), "", "Next steps:"]
    lines += [
        f"  cd {created.root}",
        "  mixpeek plugin test             # on this machine",
        "  mixpeek plugin test --sandbox   # in an image, isolated",
    ]
    return "\n".join(lines)
