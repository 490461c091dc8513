"""The pytest plugin that records outcomes and plants the control tests."""

from __future__ import annotations

from typing import Any

from sandbox.guest.stages import StageContext

_MESSAGE = 1_000
_DETAIL = 4_000


class Recorder:
    """Hears of every test from pytest's own hooks; ``controls`` maps each control to its outcome."""

    def __init__(self, context: StageContext, pytest: Any) -> None:
        self._context = context
        self._pytest = pytest
        self._tests: dict[str, dict[str, Any]] = {}
        self.collection_errors: list[dict[str, Any]] = []
        self.deselected: list[str] = []
        self._control_names = {
            "must-pass": f"test_{context.seed[:12]}",
            "must-fail": f"test_{context.seed[12:24]}",
        }
        self.controls: dict[str, str] = {}

    def tests(self) -> list[dict[str, Any]]:
        """Every test of the plugin in the order in which it ran."""
        return list(self._tests.values())

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Plant the controls beside the plugin's own first test, so that the same hooks apply to them.

        The one that fails comes last: ``--maxfail`` in a plugin's configuration then stops nothing.
        """
        if not items:
            return
        parent = items[0].getparent(self._pytest.Module)
        if parent is None:
            return

        def must_pass() -> None:
            """Do nothing."""

        def must_fail() -> None:
            raise AssertionError("control test: this failure is planted by mixpeek and expected")

        for position, kind, body in ((0, "must-pass", must_pass), (len(items) + 1, "must-fail", must_fail)):
            items.insert(
                position,
                self._pytest.Function.from_parent(parent, name=self._control_names[kind], callobj=body),
            )

    def pytest_deselected(self, items: list[Any]) -> None:
        """Take what ``-k`` or ``-m`` in the plugin's configuration leaves out."""
        self.deselected.extend(item.nodeid for item in items)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell the host what is running, so that a hang has a name."""
        if self._control_of(nodeid) is None:
            self._context.emit(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        """Take one phase (setup, call, teardown) of one test."""
        outcome = _outcome(report)
        control = self._control_of(report.nodeid)
        if control is not None:
            if report.when == "call" or outcome != "passed":
                self.controls.setdefault(control, outcome)
            return
        record = self._tests.setdefault(
            report.nodeid,
            {"id": report.nodeid, "outcome": "unfinished", "seconds": 0.0, "message": "", "detail": ""},
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

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Keep the planted failure out of what the author reads."""
        for kind in ("failed", "passed"):
            kept = [report for report in terminalreporter.stats.get(kind, []) if not self._is_control(report)]
            terminalreporter.stats[kind] = kept

    def _is_control(self, report: Any) -> bool:
        return self._control_of(getattr(report, "nodeid", "")) is not None

    def _control_of(self, nodeid: str) -> str | None:
        name = nodeid.rpartition("::")[2]
        return next((kind for kind, control in self._control_names.items() if name == control), None)


def _outcome(report: Any) -> str:
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.outcome == "skipped" else "xpassed"
    return str(report.outcome)


def _explain(report: Any) -> dict[str, Any]:
    """The last line of what went wrong, where, and the text that pytest would print."""
    crash = getattr(getattr(report, "longrepr", None), "reprcrash", None)
    detail = str(report.longrepr) if report.longrepr is not None else ""
    if crash is not None:
        return {"message": str(crash.message)[:_MESSAGE], "fault_line": crash.lineno, "detail": detail[-_DETAIL:]}
    if isinstance(report.longrepr, tuple):  # a skip: (path, line, reason)
        return {"message": str(report.longrepr[2])[:_MESSAGE], "detail": ""}
    lines = [line for line in detail.splitlines() if line.strip()]
    return {"message": (lines[-1] if lines else "")[:_MESSAGE], "detail": detail[-_DETAIL:]}
