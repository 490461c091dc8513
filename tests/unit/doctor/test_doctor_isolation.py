"""Each wall of the sandbox, judged from a report in which only that wall is down."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from toolchain.core.errors import EngineRefused
from toolchain.doctor.isolation import isolation, judge
from toolchain.doctor.model import Status, Surroundings
from toolchain.doctor.probing import Ended, Probes, _report

SOUND: dict[str, Any] = {
    "process_status": {
        "NoNewPrivs": "1",
        "Seccomp": "2",
        "CapEff": "0000000000000000",
        "CapBnd": "0000000000000000",
        "Uid": "65532\t65532\t65532\t65532",
    },
    "interfaces": ["lo"],
    "internet_socket": "EPERM",
    "unix_socket": "done",
    "root_write": "EROFS",
    "root_mount": ["ro", "relatime"],
    "scratch": {"written": 1 << 20, "error": "ENOSPC"},
    "forks": {"made": 15, "error": "EAGAIN"},
    "processor": {"share": 0.31, "throttled": 3},
}
KILLED = Ended(137, True, "")


def statuses(report: dict[str, Any], memory: Ended = KILLED) -> dict[str, Status]:
    checks = judge(Probes(report, memory), {"SecurityOptions": ["name=seccomp,profile=default"]})
    return {check.name: check.status for check in checks}


def test_a_sound_sandbox_passes_everything() -> None:
    assert set(statuses(SOUND).values()) == {Status.OK}
    assert len(statuses(SOUND)) == 9


@pytest.mark.parametrize(
    ("name", "probe", "value"),
    [
        ("seccomp", "internet_socket", "done"),
        ("seccomp", "unix_socket", "EPERM"),
        ("seccomp", "internet_socket", "EAFNOSUPPORT"),
        ("seccomp", "process_status", {"Seccomp": "0"}),
        ("no-network", "interfaces", ["lo", "eth0"]),
        ("no-network", "interfaces", {"failed": "PermissionError"}),
        ("no-new-privileges", "process_status", {"NoNewPrivs": "0"}),
        ("capabilities", "process_status", {"CapEff": "00000000a80425fb"}),
        ("capabilities", "process_status", {"CapBnd": "00000000a80425fb"}),
        ("capabilities", "process_status", {"CapBnd": ""}),
        ("capabilities", "process_status", {"Uid": "0\t0\t0\t0"}),
        ("read-only-root", "root_write", "done"),
        ("read-only-root", "root_mount", ["rw", "relatime"]),
        ("read-only-root", "root_mount", {"failed": "x"}),
        ("scratch-limit", "scratch", {"written": 8 << 20, "error": None}),
        ("scratch-limit", "scratch", {"written": 2 << 20, "error": "ENOSPC"}),
        ("scratch-limit", "scratch", {"failed": "x"}),
        ("process-limit", "forks", {"made": 64, "error": None}),
        ("process-limit", "forks", {"made": 40, "error": "EAGAIN"}),
        ("process-limit", "forks", {"made": 0, "error": "EPERM"}),
        ("processor-limit", "processor", {"share": 0.99, "throttled": 0}),
        ("processor-limit", "processor", {"share": 0.99, "throttled": None}),
        ("processor-limit", "processor", {"share": 0.31, "throttled": "3"}),
        ("processor-limit", "processor", {"failed": "x"}),
    ],
)
def test_one_wall_down_is_one_error(name: str, probe: str, value: Any) -> None:
    report = copy.deepcopy(SOUND)
    report[probe] = {**report[probe], **value} if probe == "process_status" else value
    found = statuses(report)
    assert found.pop(name) is Status.ERROR
    assert set(found.values()) == {Status.OK}


@pytest.mark.parametrize(
    ("processor", "status"),
    [
        ({"share": 0.1, "throttled": 0}, Status.UNKNOWN),
        ({"share": 0.1, "throttled": 1}, Status.OK),
        ({"share": 0.35, "throttled": None}, Status.OK),
    ],
)
def test_a_busy_machine_is_not_taken_for_a_limit(processor: dict[str, Any], status: Status) -> None:
    assert statuses({**SOUND, "processor": processor})["processor-limit"] is status


@pytest.mark.parametrize("probe", list(SOUND))
def test_a_probe_that_is_missing_never_passes(probe: str) -> None:
    report = {name: value for name, value in SOUND.items() if name != probe}
    assert Status.ERROR in statuses(report).values()


@pytest.mark.parametrize(
    ("memory", "status"),
    [
        (Ended(0, False, "268435456"), Status.ERROR),
        (Ended(0, True, ""), Status.ERROR),
        (Ended(1, False, "MemoryError"), Status.ERROR),
        (Ended(137, False, ""), Status.WARNING),
        (Ended(137, True, ""), Status.OK),
    ],
)
def test_memory_by_the_engine_s_account(memory: Ended, status: Status) -> None:
    assert statuses(SOUND, memory)["memory-limit"] is status


def test_without_an_engine_nothing_is_said_to_hold() -> None:
    (check,) = isolation(Surroundings(environment={}, cache=Path("/c")))
    assert check.status is Status.UNKNOWN
    assert "--fix" in check.remedy


@pytest.mark.parametrize("output", ["", "Traceback …", "[1, 2]", "{broken"])
def test_a_container_without_a_report_is_an_error(output: str) -> None:
    with pytest.raises(EngineRefused, match="no report"):
        _report(Ended(1, False, output))


def test_a_report_is_found_among_other_lines() -> None:
    assert _report(Ended(0, False, 'warning\n{"a": 1}\n')) == {"a": 1}
