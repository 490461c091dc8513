"""``mixpeek engine``: the container engine in use, and the one that mixpeek started."""

from __future__ import annotations

import click

from toolchain.cli.output import Result, finish
from toolchain.core.containers import (
    ConnectOptions,
    PrivateEngine,
    connect,
    options_from_environment,
    running_private_engines,
    stop_private_engine,
)
from toolchain.core.errors import ExitCode


@click.group("engine")
def command() -> None:
    """Show or stop the container engine that mixpeek started."""


@command.command("status")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def status(*, as_json: bool) -> None:
    """Show the engine that commands would use, and the engines that mixpeek started.

    Starts nothing. Exit status: 0 an engine answers, 3 none does.
    """
    options = options_from_environment(may_start=False)
    private = running_private_engines(options)
    engine = connect(options)
    engine.close()
    in_use = {
        "kind": engine.kind,
        "version": engine.version,
        "api_version": engine.api_version,
        "architecture": engine.architecture,
        "found": engine.found,
        "address": engine.address,
        "local": engine.local,
        "notes": list(engine.notes),
    }
    lines = [f"{engine.kind} {engine.version} at {engine.address}, found by: {engine.found}", *engine.notes]
    lines += [f"started by mixpeek: {_line(one)}" for one in private]
    data = {"engine": in_use, "private": [_private_json(one) for one in private]}
    finish(Result("engine status", ExitCode.PASSED, "\n".join(lines), data), as_json=as_json)


@command.command("stop")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def stop(*, as_json: bool) -> None:
    """Stop the engines that mixpeek started, with their containers.

    Images and caches stay; the next command that needs an engine starts it again. Engines that mixpeek did not
    start are left alone.
    """
    options: ConnectOptions = options_from_environment(may_start=False)
    stopped = stop_private_engine(options)
    lines = [
        f"stopped {one.kind} (process {one.pid}){', it had to be killed' if one.killed else ''}" for one in stopped
    ]
    data = {"stopped": [{"kind": one.kind, "pid": one.pid, "killed": one.killed} for one in stopped]}
    text = "\n".join(lines) or "mixpeek has started no engine"
    finish(Result("engine stop", ExitCode.PASSED, text, data), as_json=as_json)


def _line(engine: PrivateEngine) -> str:
    return f"{engine.kind} (process {engine.pid}), {engine.ping.state.value}, log {engine.log}"


def _private_json(engine: PrivateEngine) -> dict[str, object]:
    return {
        "kind": engine.kind,
        "pid": engine.pid,
        "address": engine.address,
        "state": engine.ping.state.value,
        "log": str(engine.log),
    }
