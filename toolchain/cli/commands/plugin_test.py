"""``mixpeek plugin test``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sandbox.policy import LEVELS
from toolchain.check.report import TestReport
from toolchain.check.runner import TestRequest, test_plugin
from toolchain.cli.output import Result, finish
from toolchain.cli.rendering import render_report
from toolchain.cli.sizes import MEMORY
from toolchain.cli.talk import reporter
from toolchain.core.errors import UsageFault
from toolchain.settings import resolve_settings


@click.command("test")
@click.option(
    "-p", "--path", type=click.Path(path_type=Path), default=Path(), help="Plugin directory [default: this one]."
)
@click.option("-s", "--sample-data", metavar="FILE", help="JSON, NDJSON, CSV or Parquet file with test data.")
@click.option("--sandbox", is_flag=True, help="Build an image and run in an isolated container.")
@click.option(
    "--level",
    type=click.Choice(list(LEVELS)),
    help="Policy of the sandbox, see `mixpeek sandbox policy` [default: default].",
)
@click.option("--trace", is_flag=True, help="Report everything that the plugin does in the sandbox.")
@click.option("--python", metavar="PATH", help="Python that runs the plugin without --sandbox.")
@click.option(
    "--timeout", type=click.FloatRange(min=1), metavar="SECONDS", help="Limit of each stage [default: 120]."
)
@click.option(
    "--memory", type=MEMORY, metavar="SIZE", help="Memory limit of the sandbox, as 512m or 2g [default: 4g]."
)
@click.option("-v", "--verbose", is_flag=True, help="Show tracebacks and what the plugin printed.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    path: Path,
    sample_data: str | None,
    python: str | None,
    timeout: float | None,
    memory: int | None,
    *,
    level: str | None,
    sandbox: bool,
    trace: bool,
    verbose: bool,
    as_json: bool,
) -> None:
    """Validate and test a plugin.

    Structure, schemas, pipeline, tests, sample rows and the realtime handler are checked, and all problems are
    reported together. Without --sandbox the plugin runs in a process with your rights: for your own plugins.
    With --sandbox it runs in a container without network that is denied everything by default, and what it tries
    beyond its declared permissions fails it.

    Exit status: 0 passed, 1 the plugin is at fault, 2 wrong usage, 3 could not tell.
    """
    if level is not None and not sandbox:
        raise UsageFault(f"--level {level} is a policy of the sandbox", remedy="add --sandbox")
    settings = resolve_settings(
        flags={"sample_data": sample_data, "python": python}, environment=os.environ, project=path
    )
    from_project = settings.origins["sample_data"] == "pyproject.toml"
    sample = settings.get("sample_data")
    interpreter = settings.get("python")
    request = TestRequest(
        path=path,
        sandbox=sandbox,
        level=level or "default",
        sample_data=None if sample is None or from_project else Path(sample),
        plugin_sample=sample if from_project else None,
        python=None if interpreter is None else Path(interpreter),
        stage_seconds=timeout,
        memory=memory,
        trace=trace,
        environment=os.environ,
    )
    report = test_plugin(request, reporter(as_json=as_json))
    finish(_result(report, verbose=verbose), as_json=as_json)


def _result(report: TestReport, *, verbose: bool) -> Result:
    return Result(
        "plugin test",
        report.exit_code,
        render_report(report, verbose=verbose),
        {**report.to_json(), "details": list(report.details) if verbose else []},
        report.findings,
    )
