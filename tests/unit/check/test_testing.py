"""The rules about a plugin's tests."""

from __future__ import annotations

import ast

import pytest

from toolchain.check.module import Module
from toolchain.check.testing import check_test_files, check_tests, expected_tests

SOURCE = """
import pytest

def test_one(): pass

async def test_two(): pass

class TestGroup:
    def test_three(self): pass
    def helper(self): pass

class TestMade:
    def __init__(self): pass
    def test_no(self): pass

class TestData:
    __test__ = False
    def test_no(self): pass

class Helper:
    def test_no(self): pass

@pytest.fixture
def test_text(): pass

def helper(): pass
"""
MODULES = {
    "tests/test_it.py": Module(ast.parse(SOURCE)),
    "pipeline.py": Module(ast.parse(SOURCE)),
    "tests/tool.py": Module(ast.parse(SOURCE)),
}
IDS = ["tests/test_it.py::test_one", "tests/test_it.py::test_two", "tests/test_it.py::TestGroup::test_three"]


def result(**changes: object) -> dict:
    tests = [{"id": name, "outcome": "passed"} for name in IDS]
    known = {
        "available": True,
        "status": 1,
        "controls": {"must-pass": "passed", "must-fail": "failed"},
        "tests": tests,
        "total": 3,
    }
    changed = {**known, **changes}
    if "tests" in changes and "total" not in changes:
        changed["total"] = len(changed["tests"])
    return changed


def outcomes(*given: str) -> list[dict]:
    return [{"id": name, "outcome": outcome} for name, outcome in zip(IDS, given, strict=True)]


def rules(**changes: object) -> list[str]:
    return [finding.rule for finding in check_tests(result(**changes), MODULES)]


def test_the_tests_in_the_source():
    assert list(expected_tests(MODULES)) == IDS
    assert expected_tests(MODULES)[IDS[0]] == 4


def test_an_honest_run():
    assert rules() == []


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"available": False}, "tests.no-pytest"),
        ({"tests": outcomes("passed", "failed", "passed")}, "tests.failed"),
        ({"tests": outcomes("passed", "setup failed", "passed")}, "tests.failed"),
        ({"tests": outcomes("passed", "unfinished", "passed")}, "tests.failed"),
        ({"tests": outcomes("passed", "passed although it raised ValueError", "passed")}, "tests.tampered"),
        ({"tests": outcomes("passed", "", "passed")}, "tests.tampered"),
        ({"tests": outcomes("skipped", "skipped", "skipped")}, "tests.all-skipped"),
        ({"tests": outcomes("xfailed", "skipped", "xfailed")}, "tests.all-skipped"),
        ({"tests": outcomes("passed", "passed", "passed")[:2]}, "tests.not-run"),
        ({"tests": [], "controls": {}, "status": 0}, "tests.not-run"),
        ({"unreported": [IDS[0] + "[param]"]}, "tests.not-run"),
        ({"deselected": [IDS[0]]}, "tests.deselected"),
        ({"controls": {}}, "tests.tampered"),
        ({"controls": {"must-pass": "passed", "must-fail": "passed"}}, "tests.tampered"),
        ({"controls": {"must-pass": "passed", "must-fail": "xfailed"}}, "tests.tampered"),
        ({"controls": {"must-pass": "failed", "must-fail": "failed"}}, "tests.tampered"),
        ({"controls": {"must-fail": "failed"}}, "tests.tampered"),
        ({"status": 0}, "tests.tampered"),
        ({"status": 2}, "tests.tampered"),
        ({"replaced": ["_pytest.runner.call_and_report"]}, "tests.tampered"),
        ({"collection_errors": [{"id": "tests/test_it.py", "message": "x"}]}, "tests.collection"),
        ({"total": 5}, "tests.too-many"),
    ],
)
def test_what_fails(changes, rule):
    assert rule in rules(**changes)


def test_a_failure_has_its_place_and_a_remedy():
    tests = [{"id": IDS[0], "outcome": "failed", "message": "assert 1 == 2", "line": 4}]
    tests[0] |= {"fault_file": "tests/test_it.py", "fault_line": 9}
    finding = check_tests(result(tests=tests + outcomes("passed", "passed", "passed")[1:]), MODULES)[0]
    assert (finding.file, finding.line) == ("tests/test_it.py", 9)
    assert "assert 1 == 2" in finding.message
    assert "--verbose" in finding.remedy


def test_a_test_that_did_not_run_has_its_line():
    finding = check_tests(result(tests=outcomes("passed", "passed", "passed")[1:]), MODULES)[0]
    assert (finding.file, finding.line) == ("tests/test_it.py", 4)


def test_some_skipped_tests_are_fine():
    assert rules(tests=outcomes("passed", "skipped", "xfailed")) == []


def test_all_tests_of_a_parametrised_one_count_for_it():
    tests = [{"id": f"{IDS[0]}[{n}]", "outcome": "passed"} for n in range(3)]
    assert rules(tests=tests + outcomes("passed", "passed", "passed")[1:]) == []


@pytest.mark.parametrize("hook", ["pytest_runtest_protocol", "pytest_runtestloop", "pytest_pyfunc_call"])
def test_a_hook_that_runs_tests_in_pytests_place(hook):
    (finding,) = check_test_files({"tests/conftest.py": Module(ast.parse(f"\ndef {hook}(item): return True\n"))})
    assert (finding.rule, finding.file, finding.line) == ("tests.hook", "tests/conftest.py", 2)
