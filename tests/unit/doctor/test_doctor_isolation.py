"""What the doctor makes of a run of probes."""

from __future__ import annotations

from pathlib import Path

from sandbox.guest.probes import EVERY
from sandbox.guest.probes.model import Probe
from sandbox.policy import DEFAULT
from sandbox.probes.judge import judge as judge_probes
from sandbox.probes.run import ProbeRun
from toolchain.doctor.isolation import isolation, judge
from toolchain.doctor.model import Status, Surroundings


def run(**others: str) -> ProbeRun:
    """A run in which all is as expected but ``others``, by the probes' ids with dots for double underscores."""
    changed = {name.replace("__", "."): seen for name, seen in others.items()}
    outcomes = {probe.id: changed.get(probe.id, _right(probe)) for probe in EVERY}
    return ProbeRun(judge_probes(EVERY, outcomes, DEFAULT, ("default", "docker")), DEFAULT, "docker 20.10", 1.0)


def _right(probe: Probe) -> str:
    return f"{probe.expected[0]} after 7" if probe.bound else probe.expected[0]


def test_walls_that_all_stand_are_one_line() -> None:
    (check,) = judge(run())
    assert check.status is Status.OK
    assert str(len(EVERY)) in check.detail


def test_each_wall_that_is_down_is_an_error_with_what_was_seen() -> None:
    checks = judge(run(network__inet="works", network__packet="works", limits__memory="nothing after 4294967296"))
    assert [(check.name, check.status) for check in checks] == [
        ("wall-limits", Status.ERROR),
        ("wall-network", Status.ERROR),
    ]
    assert "taking memory: nothing after" in checks[0].detail
    assert "cgroup" in checks[0].remedy
    assert checks[1].detail.count("works") == 2


def test_a_probe_that_came_to_no_end_says_nothing_of_its_wall() -> None:
    (check,) = judge(run(works__timer="still running after 30 s"))
    assert check.status is Status.UNKNOWN
    assert "again" in check.remedy


def test_without_an_engine_nothing_is_said_to_hold() -> None:
    (check,) = isolation(Surroundings(environment={}, cache=Path("/c")))
    assert check.status is Status.UNKNOWN
    assert "--fix" in check.remedy
