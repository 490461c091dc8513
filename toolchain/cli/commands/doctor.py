"""``mixpeek doctor``."""

from __future__ import annotations

import os

import click

from toolchain.cli.output import Result, finish
from toolchain.cli.talk import reporter
from toolchain.doctor import Check, Diagnosis, DoctorOptions, Status, diagnose, examinations, repair, survey

_COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.UNKNOWN: "magenta", Status.ERROR: "red"}


@click.command("doctor")
@click.option("--fix", is_flag=True, help="Start an installed engine and make the base image.")
@click.option("--gpu", is_flag=True, help="Require a GPU, and compare every CUDA image here with it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(*, fix: bool, gpu: bool, as_json: bool) -> None:
    """Check this machine: engine, sandbox, registries, GPU.

    Limits and walls are probed with real containers, not read from settings. Nothing is changed or started
    without --fix.

    Exit status: 0 all that is needed is there, 3 something needed is missing or could not be probed.
    """
    options = _options()
    surroundings, repaired = repair(options, reporter(as_json=as_json)) if fix else (survey(options), ())
    try:
        diagnosis = diagnose(surroundings, repaired=repaired, examinations=examinations(gpu=gpu))
    finally:
        if surroundings.engine is not None:
            surroundings.engine.close()
    finish(_result(diagnosis), as_json=as_json)


def _options() -> DoctorOptions:
    from images.environment import cache_directory, index_url
    from toolchain.core.containers import options_from_environment

    return DoctorOptions(options_from_environment(may_start=False), cache_directory(), index_url())


def _result(diagnosis: Diagnosis) -> Result:
    text = _text(diagnosis)
    return Result("doctor", diagnosis.exit_code, text, diagnosis.to_json(), diagnosis.findings, styled=True)


def _text(diagnosis: Diagnosis) -> str:
    width = max((len(check.name) for check in diagnosis.checks), default=0)
    lines = [f"repaired: {line}" for line in diagnosis.repaired]
    lines += [line for check in diagnosis.checks for line in _lines(check, width)]
    return "\n".join([*lines, "", _summary(diagnosis)])


def _lines(check: Check, width: int) -> list[str]:
    word = f"{check.status.value:<8}"
    # click drops colours where stdout is no terminal; NO_COLOR (https://no-color.org) is ours to respect.
    if not os.environ.get("NO_COLOR") and check.status in _COLOURS:
        word = click.style(word, fg=_COLOURS[check.status])
    detail = check.detail.replace("\n", "\n" + " " * (11 + width))
    lines = [f"{word} {check.name:<{width}}  {detail}"]
    if check.remedy:
        lines.append(f"{'':<8} {'':<{width}}  next step: {check.remedy}")
    return lines


def _summary(diagnosis: Diagnosis) -> str:
    counts = {status: sum(check.status is status for check in diagnosis.checks) for status in Status}
    parts = [f"{counts[status]} {status.value}" for status in Status if counts[status]]
    healthy = (
        "all that is needed is there" if not diagnosis.exit_code else "something needed is missing or not probed"
    )
    return f"{healthy}: {', '.join(parts)}"
