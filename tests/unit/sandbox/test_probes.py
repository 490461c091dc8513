"""The table of probes, how an outcome is told, and how it is judged."""

from __future__ import annotations

import errno
import signal
from dataclasses import replace

import pytest

from sandbox.guest.probes import EVERY
from sandbox.guest.probes.model import Probe, _ending, _told
from sandbox.policy import DEFAULT, LEVELS
from sandbox.probes.deviations import DEVIATIONS, NOT_TRIED, deviation, left_out
from sandbox.probes.judge import judge
from sandbox.probes.run import within_reach
from sandbox.protocol import Message

BY_ID = {probe.id: probe for probe in EVERY}
WALL = Probe("x.wall", "x", "a call", ("EPERM", "EACCES"), "because", lambda: None)
LIMIT = Probe("x.limit", "x", "filling", ("ENOSPC",), "because", lambda: None, bound="scratch")


def holds(probe: Probe, seen: str, *places: str) -> bool:
    (one,) = judge([probe], {probe.id: seen}, replace(DEFAULT, scratch=100, cpus=1.0), places)
    return one.holds


def test_the_table():
    assert len(EVERY) >= 80
    assert len(BY_ID) == len(EVERY)
    assert all(probe.what and probe.expected and probe.why for probe in EVERY)
    ways = {"works" in probe.expected for probe in EVERY}
    assert ways == {True, False}


@pytest.mark.parametrize(
    "wall",
    ["network", "mounts", "namespaces", "memory of others", "kernel", "keys", "identity", "machine", "secrets",
     "orders to the kernel", "devices", "read-only root", "programs from writable places", "links", "capabilities",
     "limits", "calling conventions", "what has to work"],
)  # fmt: skip
def test_no_wall_is_without_probes(wall):
    assert any(probe.wall == wall for probe in EVERY)


@pytest.mark.parametrize(
    ("seen", "right"),
    [("EPERM", True), ("EACCES", True), ("works", False), ("ENOENT", False), ("absent", False), (NOT_TRIED, False),
     ("", False), ("EPERM after 7", True), ("failed: EPERM", False)],
)  # fmt: skip
def test_only_what_is_expected_is_right(seen, right):
    assert holds(WALL, seen) is right


def test_a_probe_without_an_outcome_is_not_right():
    (one,) = judge([WALL], {}, DEFAULT, ())
    assert (one.holds, one.seen) == (False, NOT_TRIED)


@pytest.mark.parametrize(
    ("seen", "right"),
    [("ENOSPC after 100", True), ("ENOSPC after 101", False), ("ENOSPC after 0", False),
     ("nothing after 50", False), ("ENOSPC", True)],
)  # fmt: skip
def test_a_limit_holds_within_its_bound(seen, right):
    assert holds(LIMIT, seen) is right


def test_a_processor_may_be_late_but_not_doubled():
    probe = BY_ID["limits.processor"]
    assert holds(probe, "held back")
    assert holds(probe, "unhindered after 150")
    assert not holds(probe, "unhindered after 151")


def test_deviations_are_for_probes_and_places_that_there_are():
    for one in DEVIATIONS:
        assert one.probe in BY_ID, one
        assert one.place in {*LEVELS, "podman"}, one
        assert len(one.reason) > 20, one
        assert not set(one.expected) <= set(BY_ID[one.probe].expected), f"{one.probe} deviates in nothing"
    assert len({(one.place, one.probe) for one in DEVIATIONS}) == len(DEVIATIONS)


def test_a_deviation_holds_in_its_place_alone():
    probe = BY_ID["works.program"]
    assert holds(probe, "EPERM", "strict", "docker")
    assert not holds(probe, "works", "strict", "docker")
    assert not holds(probe, "EPERM", "default", "docker")
    assert deviation(probe, ("default", "docker")) is None


def test_what_would_end_the_others_is_left_out():
    assert left_out(BY_ID["process.signals"], ("gvisor", "docker"))
    assert not left_out(BY_ID["process.signals"], ("default", "docker"))


@pytest.mark.parametrize("level", LEVELS)
def test_probes_run_behind_the_level_s_own_walls(level):
    """Only limits are made small; every other field is the level's."""
    changed = {
        name
        for name, value in LEVELS[level].to_json().items()
        if within_reach(LEVELS[level]).to_json()[name] != value
    }
    assert changed <= {
        "cpus", "memory", "processes", "open_files", "scratch", "scratch_inodes", "shared_memory",
    }  # fmt: skip


def raising(failure: BaseException) -> Probe:
    def attempt() -> None:
        raise failure

    return replace(WALL, attempt=attempt)


@pytest.mark.parametrize(
    ("probe", "told"),
    [
        (WALL, "works"),
        (replace(WALL, attempt=lambda: "empty"), "empty"),
        (raising(PermissionError(errno.EPERM, "no")), "EPERM"),
        (raising(AssertionError("seen")), "failed: AssertionError: seen"),
        (raising(SystemExit(0)), "failed: SystemExit: 0"),
        (raising(OSError("no number")), "failed: OSError('no number')"),
        (replace(WALL, package="no_such_package_anywhere"), "absent"),
    ],
)
def test_how_an_attempt_is_told(probe, told):
    assert _told(probe) == told


def test_how_a_process_that_said_nothing_is_told():
    assert _ending(signal.SIGSYS) == "SIGSYS"
    assert _ending(3 << 8) == "ended with status 3"


def test_the_stage_tries_what_it_is_asked_for(tmp_path, monkeypatch):
    from sandbox.guest.stages import StageContext, probes

    monkeypatch.setattr(probes, "outcome", lambda probe: f"tried {probe.id}")
    listed = tmp_path / "data"
    listed.write_text('["works.tls", "network.inet"]')
    heard: list[Message] = []
    with listed.open("rb") as file:
        context = StageContext("p", tmp_path, [], {}, file.fileno(), "", heard.append)
        result, blob = probes.run(context)
    assert result == {"outcomes": {"network.inet": "tried network.inet", "works.tls": "tried works.tls"}}
    assert blob == b""
    assert [message.body["at"] for message in heard] == ["network.inet", "works.tls"]
