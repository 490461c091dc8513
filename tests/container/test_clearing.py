"""What a stage leaves is cleared away in a bounded time; where that fails it is told and nothing runs after it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox.conversation import Job
from sandbox.outcome import Ending, SandboxOutcome
from sandbox.policy import DEFAULT
from sandbox.session import Session
from tests.support.images import plugin_image
from tests.support.plugins import NAME, Plugin
from toolchain.check.process_run import run_in_process
from toolchain.check.stages import check_ending
from toolchain.core.containers import ContainerEngine
from toolchain.core.findings import Severity
from toolchain.core.image_layout import plugin_directory

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("leaves_nothing")]

# No time at all stands for what takes too long: how fast files can be made and removed depends on the machine.
NO_TIME = replace(DEFAULT, clearing_seconds=0.0)
LITTLE_TIME = replace(DEFAULT, clearing_seconds=0.05)


def run(engine: ContainerEngine, plugin: Plugin, policy=NO_TIME) -> SandboxOutcome:
    """What becomes of two stages."""
    with Session(engine, plugin_image(engine, plugin), policy) as session:
        return session.run(Job(NAME, plugin_directory(NAME), ("describe", "tests")))


def spoil(plugin: Plugin, line: str) -> None:
    plugin.write("manifest.py", f"import os, time\n{line}\n" + (plugin.root / "manifest.py").read_text())


def test_a_stage_that_leaves_nothing_needs_no_time(own_engine, plugin):
    outcome = run(own_engine, plugin)
    assert outcome.ending is Ending.COMPLETED, outcome.reason


@pytest.mark.parametrize(
    "line",
    [
        "[open(f'/dev/shm/{number}', 'w').close() for number in range(50_000)]",
        "os.chdir('/tmp')\nfor _ in range(15_000): os.mkdir('deep'); os.chdir('deep')",
    ],
    ids=["many", "deep"],
)
def test_files_that_take_too_long_to_remove(own_engine, plugin, line):
    spoil(plugin, line)
    outcome = run(own_engine, plugin, LITTLE_TIME)
    assert outcome.ending is Ending.SCRATCH, outcome.reason
    assert list(outcome.transcript.stages) == ["describe"]
    assert outcome.transcript.stages["describe"].status == 0
    assert "could not be emptied within 0.05 s" in outcome.transcript.diagnostics
    (finding,) = check_ending(outcome.ending, outcome.reason)
    assert (finding.severity, finding.rule) == (Severity.ERROR, "run.scratch-limit")


def test_a_process_that_does_not_end_in_time(own_engine, plugin):
    spoil(plugin, "os.fork() or time.sleep(600)")
    outcome = run(own_engine, plugin)
    assert outcome.ending is Ending.UNAVAILABLE, outcome.reason
    assert "what describe left running could not be ended" in outcome.reason
    assert list(outcome.transcript.stages) == ["describe"]
    kinds = {event["kind"] for event in outcome.transcript.stages["describe"].tried["observed"]["events"]}
    assert "left-running" in kinds
    (finding,) = check_ending(outcome.ending, outcome.reason)
    assert finding.severity is Severity.UNKNOWN


def test_a_process_that_does_not_end_in_time_without_the_sandbox(plugin):
    spoil(plugin, "os.fork() or time.sleep(600)")
    job = Job(NAME, str(plugin.root), ("describe", "tests"))
    run = run_in_process(Path(sys.executable), job, NO_TIME, lambda _stage: None, os.environ)
    assert run.ending is Ending.UNAVAILABLE, run.reason
    assert "what describe left running could not be ended" in run.reason
