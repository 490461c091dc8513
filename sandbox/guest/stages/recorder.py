"""The pytest plugin that records outcomes, plants the control tests and watches what the plugin does to pytest."""

from __future__ import annotations

import sys
import unittest
from collections.abc import Generator
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

from sandbox.guest.stages import StageContext

_ID = 300
_MESSAGE = 1_000
_DETAIL = 4_000
_DETAILED = 100
_MUST_PASS, _MUST_FAIL = "must-pass", "must-fail"


class Recorder:
    """Hears of every test from pytest's own hooks.

    ``controls`` maps each control to its outcome, ``deselected`` lists what options left out.
    """

    def __init__(self, context: StageContext) -> None:
        self._context = context
        self._tests: dict[str, dict[str, Any]] = {}
        self._raised: dict[tuple[str, str], BaseException] = {}
        self._control_names = {
            _MUST_PASS: f"test_{context.seed[:12]}",
            _MUST_FAIL: f"test_{context.seed[12:24]}",
        }
        self._planted = False
        self.controls: dict[str, str] = {}
        self._collected: list[str] = []
        self.collection_errors: list[dict[str, Any]] = []
        self.deselected: list[str] = []

    def tests(self) -> list[dict[str, Any]]:
        """Every test of the plugin in the order in which it ran; only the first failures are told at length."""
        records = list(self._tests.values())
        for record in [record for record in records if record["detail"]][_DETAILED:]:
            record["detail"] = ""
        return records

    def unreported(self) -> list[str]:
        """What pytest found, before anybody could remove it, and did not run."""
        return [name for name in dict.fromkeys(self._collected) if name not in self._tests]

    @pytest.hookimpl(hookwrapper=True)
    def pytest_make_collect_report(self, collector: Any) -> Generator[None, Any, None]:
        """Note what a collector found, and plant the controls among a module's own tests.

        They are there before any hook sees the list, so whatever changes all tests changes them too. A module that
        carries marks of its own would pass them on, and an honest ``xfail`` would look like tampering.
        """
        outcome = yield
        report = outcome.get_result()
        if report.outcome != "passed":
            return
        self._collected.extend(item.nodeid for item in report.result if isinstance(item, pytest.Item))
        if isinstance(collector, pytest.Module) and not self._planted and not collector.own_markers:
            self._planted = True
            report.result[:] = [
                self._control(collector, _MUST_PASS, _pass),
                *report.result,
                self._control(collector, _MUST_FAIL, _fail),
            ]

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Move the control that fails to the end: ``--maxfail`` in a plugin's configuration then stops nothing."""
        items.sort(key=lambda item: self._control_of(item.nodeid) == _MUST_FAIL)

    def pytest_deselected(self, items: list[Any]) -> None:
        """Take what ``-k`` or ``-m`` in the plugin's configuration leaves out."""
        self.deselected.extend(item.nodeid for item in items if self._control_of(item.nodeid) is None)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell the host what is running, so that a hang has a name."""
        if self._control_of(nodeid) is None:
            self._context.emit(nodeid)

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: Any) -> Generator[None, Any, None]:
        """See what the phase raises before any other wrapper does."""
        yield from self._watch(item, "setup")

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_call(self, item: Any) -> Generator[None, Any, None]:
        """As for the set-up."""
        yield from self._watch(item, "call")

    @pytest.hookimpl(hookwrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: Any) -> Generator[None, Any, None]:
        """As for the set-up."""
        yield from self._watch(item, "teardown")

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take one phase (setup, call, teardown) of one test."""
        outcome = self._honest(report, _outcome(report))
        control = self._control_of(report.nodeid)
        if control is not None:
            if report.when == "call" or outcome != "passed":
                self.controls.setdefault(control, outcome)
            return
        record = self._tests.setdefault(
            report.nodeid,
            {"id": report.nodeid[:_ID], "outcome": "unfinished", "seconds": 0.0, "message": "", "detail": ""},
        )
        record["seconds"] += float(report.duration)
        path, line, _ = report.location
        record["file"], record["line"] = str(path), (line or 0) + 1
        worse = outcome != "passed"
        if (report.when == "call" and record["outcome"] == "unfinished") or worse:
            record["outcome"] = (
                outcome if report.when == "call" or outcome == "skipped" else f"{report.when} {outcome}"
            )
        if worse:
            record |= _explain(report)

    def pytest_collectreport(self, report: Any) -> None:
        """Take what could not be collected: an import error in a test file, say."""
        if report.failed:
            self.collection_errors.append({"id": report.nodeid, **_explain(report)})

    def pytest_sessionfinish(self, session: Any) -> None:
        """Keep the controls out of what the author reads."""
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        for kind in ("failed", "passed"):
            reporter.stats[kind] = [
                report
                for report in reporter.stats.get(kind, [])
                if self._control_of(getattr(report, "nodeid", "")) is None
            ]

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: Any) -> tuple[str, str, str] | None:
        """Keep the controls out of what the author reads: no letter, no place in the summary."""
        return None if self._control_of(getattr(report, "nodeid", "")) is None else ("", "", "")

    def _control(self, module: Any, kind: str, body: Any) -> Any:
        return pytest.Function.from_parent(module, name=self._control_names[kind], callobj=body)

    def _watch(self, item: Any, when: str) -> Generator[None, Any, None]:
        outcome = yield
        self._raised.pop((item.nodeid, when), None)  # of an earlier try, where a plugin of pytest tries again
        if outcome.excinfo is not None:
            self._raised[item.nodeid, when] = outcome.excinfo[1]

    def _honest(self, report: Any, outcome: str) -> str:
        """The outcome, or what it hides: a phase that raised was neither passed nor skipped by anything honest."""
        raised = self._raised.get((report.nodeid, report.when))
        if raised is None or isinstance(raised, _LEAVING):
            return outcome
        honest = outcome == "failed" or (outcome == "xfailed" and "xfail" in report.keywords)
        return outcome if honest else f"{outcome} although it raised {type(raised).__name__}"

    def _control_of(self, nodeid: str) -> str | None:
        name = nodeid.rpartition("::")[2]
        return next((kind for kind, control in self._control_names.items() if name == control), None)


class Integrity:
    """Remembers pytest's own functions, to tell afterwards which of them the plugin replaced.

    Installed plugins of pytest do so too, with good reason (hypothesis wraps ``pytest.fixture``): what stands in a
    file outside the plugin is theirs. Should one of them bend verdicts, the control tests show it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._before = _functions()

    def replaced(self) -> list[str]:
        """The names of the functions that are not what they were."""
        now = _functions()
        return sorted(
            name for name, code in self._before.items() if now.get(name) is not code and self._ours(now.get(name))
        )

    def _ours(self, code: CodeType | None) -> bool:
        """Whether code comes from the plugin under test, or from nowhere that can be told."""
        if code is None:
            return True
        file = Path(code.co_filename)
        return file.is_relative_to(self._root) or not file.is_file()


def _functions() -> dict[str, CodeType]:
    """The code of every function of pytest, by ``module.name`` or ``module.class.name``; a method counts once."""
    found: dict[str, CodeType] = {}
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] not in {"_pytest", "pytest", "pluggy"}:
            continue
        for name, value in list(vars(module).items()):
            if isinstance(value, FunctionType):
                found[f"{module_name}.{name}"] = value.__code__
            elif isinstance(value, type) and value.__module__ == module_name:
                for method, function in list(vars(value).items()):
                    if isinstance(function, FunctionType):
                        found[f"{module_name}.{name}.{method}"] = function.__code__
    return found


# A test that leaves by one of these is skipped, or expected to fail, by its own decision.
_LEAVING = (pytest.skip.Exception, pytest.xfail.Exception, unittest.SkipTest)


def _pass() -> None:
    """Do nothing."""


def _fail() -> None:
    raise AssertionError("control test: this failure is planted by mixpeek and expected")


def _outcome(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.outcome == "skipped" else "xpassed"
    return str(report.outcome)


def _explain(report: Any) -> dict[str, Any]:
    """The last line of what went wrong, where, and the text that pytest would print."""
    crash = getattr(getattr(report, "longrepr", None), "reprcrash", None)
    detail = str(report.longrepr) if report.longrepr is not None else ""
    if crash is not None:
        return {
            "message": str(crash.message)[:_MESSAGE],
            "fault_file": str(crash.path),
            "fault_line": crash.lineno,
            "detail": detail[-_DETAIL:],
        }
    if isinstance(report.longrepr, tuple):  # a skip: (path, line, reason)
        return {"message": str(report.longrepr[2])[:_MESSAGE], "detail": ""}
    lines = [line for line in detail.splitlines() if line.strip()]
    return {"message": (lines[-1] if lines else "")[:_MESSAGE], "detail": detail[-_DETAIL:]}
