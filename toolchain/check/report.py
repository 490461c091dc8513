"""The verdict over a plugin: one result for each check, every finding, and where each fact came from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from toolchain.core.errors import ExitCode
from toolchain.core.findings import Finding, Severity, ordered


class Status(str, Enum):
    """How one check went. ``ABSENT``: there is nothing to check; ``NOT_RUN``: an earlier fault prevented it."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "unknown"
    ABSENT = "absent"
    NOT_RUN = "not run"


class Source(str, Enum):
    """Where a fact comes from.

    ``HOST``: read or recomputed by us outside the plugin's reach; ``ENGINE``: observed by the container engine;
    ``CLAIMED``: reported by a process that also ran plugin code.
    """

    HOST = "recomputed"
    ENGINE = "observed"
    CLAIMED = "claimed"


@dataclass(frozen=True)
class CheckResult:
    """One check: its status, a short detail for people, and where its facts come from."""

    name: str
    status: Status
    detail: str
    source: Source
    findings: tuple[Finding, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The result without its findings, which stand together in the envelope."""
        return {"name": self.name, "status": self.status.value, "detail": self.detail, "source": self.source.value}


@dataclass(frozen=True)
class TestReport:
    """Everything that ``plugin test`` found out."""

    __test__ = False  # pytest collects classes called Test…

    plugin: dict[str, Any]
    mode: str
    checks: tuple[CheckResult, ...]
    samples: dict[str, Any] | None = None
    tests: dict[str, Any] | None = None
    realtime: dict[str, Any] | None = None
    behaviour: dict[str, Any] | None = None
    evidence: dict[str, Any] = field(default_factory=dict)
    details: tuple[str, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, worst first."""
        return ordered(finding for check in self.checks for finding in check.findings)

    @property
    def exit_code(self) -> ExitCode:
        """At fault when anything failed; could not tell when anything that matters was not seen; else passed."""
        statuses = {check.status for check in self.checks}
        if Status.FAILED in statuses:
            return ExitCode.PLUGIN_AT_FAULT
        if statuses & {Status.UNKNOWN, Status.NOT_RUN}:
            return ExitCode.COULD_NOT_TELL
        return ExitCode.PASSED

    def to_json(self) -> dict[str, Any]:
        """The ``data`` of the output envelope."""
        return {
            "plugin": self.plugin,
            "mode": self.mode,
            "checks": [check.to_json() for check in self.checks],
            "samples": self.samples,
            "tests": self.tests,
            "realtime": self.realtime,
            "behaviour": self.behaviour,
            "evidence": self.evidence,
        }


def judge(name: str, detail: str, source: Source, findings: Iterable[Finding]) -> CheckResult:
    """A check's result by the worst of its findings."""
    found = tuple(findings)
    worst = {finding.severity for finding in found}
    status = Status.PASSED
    if Severity.ERROR in worst:
        status = Status.FAILED
    elif Severity.UNKNOWN in worst:
        status = Status.UNKNOWN
    return CheckResult(name, status, detail, source, found)
