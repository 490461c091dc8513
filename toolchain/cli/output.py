"""How every command ends: data on stdout, talk on stderr, one JSON envelope for all.

The envelope is documented by ``toolchain/cli/output.schema.json``; the tests hold every command to it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

import click

from toolchain.core.errors import ExitCode, MixpeekError
from toolchain.core.findings import Finding
from toolchain.core.visible import visible, visible_json

SCHEMA = "mixpeek.cli.result/1"

VERDICTS = {
    ExitCode.PASSED: "passed",
    ExitCode.PLUGIN_AT_FAULT: "failed",
    ExitCode.USAGE: "usage",
    ExitCode.COULD_NOT_TELL: "unknown",
}


class OutputUnwritable(MixpeekError):
    """The standard output takes no more: whoever reads it has not got the whole result."""

    id = "output-unwritable"


@dataclass(frozen=True)
class Result:
    """What a command found out: ``data`` for programs, ``text`` for people.

    ``styled`` text has colours of ours in it and nothing of a stranger's; of any other text what is hidden
    is shown.
    """

    command: str
    exit_code: ExitCode
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    styled: bool = False


def finish(result: Result, *, as_json: bool) -> NoReturn:
    """Print the result and end the command with its exit code; raises ``OutputUnwritable``."""
    if as_json:
        _print_json(_envelope(result.command, result.exit_code, result.data, result.findings, None))
    elif result.text:
        _print(f"{result.text if result.styled else visible(result.text)}\n")
    raise click.exceptions.Exit(int(result.exit_code))


def report_error(command: str, failure: MixpeekError, *, as_json: bool) -> ExitCode:
    """Print an error in the same envelope, or as lines on stderr; returns the exit code to leave with."""
    code = failure.exit_code
    details = {"id": failure.id, "message": failure.message, "where": failure.where, "remedy": failure.remedy}
    if as_json and sys.stdout is not None:  # None: it took no result, so it takes no error
        try:
            _print_json(_envelope(command, code, {}, (), details))
        except OutputUnwritable as unwritable:
            return report_error(command, unwritable, as_json=False)
    else:
        click.echo(visible(f"error: {failure}"), err=True)
    return code


def _envelope(
    command: str,
    code: ExitCode,
    data: Mapping[str, Any],
    findings: tuple[Finding, ...],
    failure: Mapping[str, Any] | None,
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "command": command,
        "verdict": VERDICTS[code],
        "exit_code": int(code),
        "data": dict(data),
        "findings": [finding.to_json() for finding in findings],
        "error": failure,
    }


def _print_json(value: Mapping[str, Any]) -> None:
    _print(f"{visible_json(value)}\n".encode())


def _print(text: str | bytes) -> None:
    try:
        click.echo(text, nl=False)
    except BrokenPipeError:
        raise
    except OSError as reason:
        raise unwritable(reason) from None


def unwritable(reason: OSError) -> OutputUnwritable:
    """The error for a write to the standard output that failed; nothing more is written there."""
    sys.stdout = None  # Python would try once more at its end, with a traceback
    message = f"the result cannot be written: {reason.strerror}"
    return OutputUnwritable(message, where="standard output", remedy="free some space, or send it elsewhere")
