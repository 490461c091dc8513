"""How a stage ended, in words."""

from __future__ import annotations

import pytest

from sandbox.conversation import StageReport
from sandbox.outcome import Ending
from toolchain.check.stages import check_ending, check_stage
from toolchain.core.findings import Severity


def report(**changes: object) -> StageReport:
    known = {
        "stage": "tests",
        "ended": "exited",
        "status": 0,
        "seconds": 1.0,
        "peak_memory_bytes": 1,
        "output": "",
        "output_bytes": 20 << 20,
        "progress": "tests/test_it.py::test_one",
        "violation": None,
        "result": {},
        "blob": b"",
    }
    return StageReport(**{**known, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "out_of_memory", "rule", "words"),
    [
        ({"violation": "two results"}, False, "run.policy-violation", "two results"),
        ({"violation": "x", "ended": "deadline"}, False, "run.policy-violation", "x"),
        ({"ended": "deadline"}, False, "run.timeout", "test_one"),
        ({"ended": "deadline", "result": {"available": True}}, False, "run.timeout", "test_one"),
        ({"ended": "output-limit"}, False, "run.output-limit", "20 MiB"),
        ({"ended": "lost: x"}, False, "run.died", "killed from inside"),
        ({"ended": "lost: x"}, True, "run.memory", "out of memory"),
        ({"ended": "something new"}, False, "run.died", "killed from inside"),
        ({"result": None}, False, "run.exited", "status 0 before reporting"),
        ({"status": 3}, False, "run.exited", "status 3 after reporting"),
        ({"status": None}, False, "run.exited", "after reporting"),
        ({"status": -11, "result": None}, False, "run.signal", "SIGSEGV"),
        ({"status": -11}, False, "run.signal", "SIGSEGV"),
        ({"status": -31, "result": None}, False, "run.policy-violation", "convention"),
        ({"status": -200, "result": None}, False, "run.signal", "signal 200"),
        ({"status": -9, "result": None}, True, "run.memory", "out of memory"),
        ({"status": -9, "result": None}, False, "run.signal", "SIGKILL"),
    ],
)
def test_a_stage_that_did_not_end_well(changes, out_of_memory, rule, words):
    (finding,) = check_stage(report(**changes), out_of_memory=out_of_memory, limits="the limits")
    assert finding.rule == rule
    assert words in finding.message
    assert finding.remedy


def test_a_stage_that_did():
    assert check_stage(report(), out_of_memory=True, limits="") == []


@pytest.mark.parametrize("ending", Ending)
def test_every_ending_has_a_verdict(ending):
    findings = check_ending(ending, "the reason")
    if ending is Ending.COMPLETED:
        assert findings == []
    else:
        expected = Severity.UNKNOWN if ending is Ending.UNAVAILABLE else Severity.ERROR
        assert [finding.severity for finding in findings] == [expected]
        assert findings[0].remedy
