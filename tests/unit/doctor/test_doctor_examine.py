"""How checks are worked through, and what they add up to."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from toolchain.core.errors import EngineUnavailable, ExitCode
from toolchain.doctor.examine import EXAMINATIONS, Diagnosis, Examination, diagnose
from toolchain.doctor.model import Check, Status, Surroundings, ok

NOWHERE = Surroundings(environment={"PATH": ""}, cache=Path("/c"))


def gives(name: str, status: Status = Status.OK, *, waits: bool = False) -> Examination:
    return Examination(name, lambda _: [Check(name, status, "seen")], waits=waits)


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ((), ExitCode.PASSED),
        ((Status.OK, Status.NOTE, Status.WARNING), ExitCode.PASSED),
        ((Status.OK, Status.UNKNOWN), ExitCode.COULD_NOT_TELL),
        ((Status.ERROR, Status.OK), ExitCode.COULD_NOT_TELL),
    ],
)
def test_warnings_do_not_change_the_verdict_and_the_unprobed_does(
    statuses: tuple[Status, ...], code: ExitCode
) -> None:
    assert Diagnosis(tuple(Check("x", status, "seen") for status in statuses)).exit_code is code


def test_the_order_is_the_list_s_whoever_waits() -> None:
    examinations = (gives("a", waits=True), gives("b"), gives("c", waits=True))
    assert [check.name for check in diagnose(NOWHERE, examinations=examinations).checks] == ["a", "b", "c"]


def test_those_that_wait_run_beside_the_others() -> None:
    met = threading.Event()
    examinations = (
        Examination("network", lambda _: [ok("network", str(met.wait(5)))], waits=True),
        Examination("local", lambda _: met.set() or [ok("local", "")]),
    )
    assert diagnose(NOWHERE, examinations=examinations).checks[0].detail == "True"


@pytest.mark.parametrize("waits", [False, True])
def test_a_check_that_breaks_counts_as_failed_and_hides_no_other(waits: bool) -> None:
    def broken(_: Surroundings) -> list[Check]:
        raise KeyError("Components")

    def refused(_: Surroundings) -> list[Check]:
        raise EngineUnavailable("gone", remedy="start it")

    examinations = (
        Examination("broken", broken, waits=waits),
        Examination("refused", refused, waits=waits),
        gives("sound"),
    )
    first, second, third = diagnose(NOWHERE, examinations=examinations).checks
    assert (first.status, second.status, third.status) == (Status.ERROR, Status.ERROR, Status.OK)
    assert "KeyError: 'Components'" in first.detail
    assert (second.detail, second.remedy) == ("gone", "start it")


def test_findings_and_json_are_what_the_output_schema_wants() -> None:
    diagnosis = Diagnosis((ok("a", "fine"), Check("b-c", Status.NOTE, "seen")), ("made it",))
    (finding,) = diagnosis.findings
    assert finding.to_json() == {
        "severity": "note",
        "rule": "doctor.b-c",
        "message": "seen",
        "remedy": "nothing has to be done",
        "file": None,
        "line": None,
    }
    assert diagnosis.to_json() == {
        "checks": [
            {"name": "a", "status": "ok", "detail": "fine", "remedy": ""},
            {"name": "b-c", "status": "note", "detail": "seen", "remedy": ""},
        ],
        "repaired": ["made it"],
    }


def test_the_list_has_no_name_twice() -> None:
    names = [one.name for one in EXAMINATIONS]
    assert len(names) == len(set(names))
