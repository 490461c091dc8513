"""Writes the tables of options in README.md from the program itself: ``python scripts/option_tables.py``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from toolchain.cli.main import cli

README = Path(__file__).resolve().parents[1] / "README.md"
START, END = "<!-- options: begin -->", "<!-- options: end -->"


def tables() -> str:
    """One table for each command, in the order of the help."""
    return "\n".join(_table(path, command) for path, command in _commands(cli, "mixpeek"))


def filled(readme: str) -> str:
    """``readme`` with fresh tables between its markers."""
    before, _, rest = readme.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{tables()}\n{END}{after}"


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from _commands(found, f"{path} {name}")


def _table(path: str, command: click.Command) -> str:
    context = click.Context(command)
    names = [
        parameter.make_metavar(context) for parameter in command.params if isinstance(parameter, click.Argument)
    ]
    lines = [f"### `{' '.join([path, *names])}`", "", _first_line(command), ""]
    lines += ["| option | meaning |", "| --- | --- |"]
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None:
            option, meaning = (" ".join(text.split()).replace("|", "\\|") for text in record)
            lines.append(f"| `{option}` | {meaning} |")
    return "\n".join([*lines, ""])


def _first_line(command: click.Command) -> str:
    return (command.help or "").strip().partition("\n")[0]


if __name__ == "__main__":
    README.write_text(filled(README.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"wrote {README.name}\n")
