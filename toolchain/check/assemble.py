"""Puts the host's reading and the guest's account together into the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.conversation import Sample, StageReport
from sandbox.protocol import printable
from toolchain.check.behaviour import check_behaviour
from toolchain.check.guest_run import GuestRun
from toolchain.check.problems import details, from_guest
from toolchain.check.reading import Reading
from toolchain.check.realtime import check_realtime, missing_handler
from toolchain.check.report import CheckResult, Source, Status, TestReport, judge
from toolchain.check.sampling import SampleOutput, check_samples
from toolchain.check.scanning import scan_evidence
from toolchain.check.schemas import check_features, check_metadata, check_schemas
from toolchain.check.stages import check_ending, check_stage
from toolchain.check.testing import check_tests
from toolchain.check.untrusted import entries, fields, number, one_line, text, texts
from toolchain.core.findings import Finding, Severity
from toolchain.plugin.permissions import read_permissions
from toolchain.scan import ScanResult

_DETAIL_LIMIT = 6_000
_OF_THE_MANIFEST = ("manifest.import",)


def assemble(
    reading: Reading,
    run: GuestRun | None,
    sample: Sample | None,
    scanned: tuple[CheckResult, ScanResult | None] | None,
) -> TestReport:
    """The report on a plugin.

    ``run`` is ``None`` when the files alone showed that it cannot run; ``scanned``, the check and its result,
    when it was to run without the sandbox.
    """
    assembly = _Assembly(reading, run, sample)
    checks = [
        assembly.structure(),
        *([scanned[0]] if scanned else []),
        assembly.schemas(),
        assembly.pipeline(),
        assembly.tests(),
        assembly.samples(),
        assembly.realtime(),
        *assembly.confinement(),
    ]
    behaviour = None
    if run is not None and run.watch != "nothing":
        checked, behaviour = check_behaviour(run, assembly.permissions)
        checks.append(checked)
    output = assembly.output
    return TestReport(
        plugin={
            "name": reading.manifest.name,
            "version": reading.manifest.version,
            "path": printable(str(reading.tree.root)),
            "files": len(reading.tree.files),
        },
        mode="sandbox" if scanned else "process",
        checks=tuple(checks),
        samples=_samples_json(assembly.result("samples"), output),
        tests=_tests_json(assembly.result("tests")),
        realtime=_realtime_json(assembly.result("realtime")),
        behaviour=behaviour,
        evidence=_evidence(run) | ({"scan": scan_evidence(scanned[1])} if scanned else {}),
        details=assembly.details(),
    )


@dataclass
class _Assembly:
    reading: Reading
    run: GuestRun | None
    sample: Sample | None

    def __post_init__(self) -> None:
        described = self.result("describe") or {}
        self.described = fields(described.get("manifest"))
        # The guest evaluates what is computed; without it the literals of the syntax tree have to do.
        self.values: dict[str, Any] = fields(self.described.get("values")) or self.reading.manifest.values
        self.built = fields(described.get("pipeline"))
        self.output = self._recompute()
        self.permissions = read_permissions(self.reading.manifest)

    def stage(self, name: str) -> StageReport | None:
        """What the supervisor said of a stage."""
        return self.run.transcript.stages.get(name) if self.run else None

    def result(self, name: str) -> dict[str, Any] | None:
        """What the stage itself reported."""
        report = self.stage(name)
        return report.result if report else None

    def structure(self) -> CheckResult:
        read = self.reading
        findings = (*read.structure_findings, *read.requirement_findings, *self.permissions.findings)
        return judge("structure", _counted(len(self.reading.tree.files), "file"), Source.HOST, findings)

    def schemas(self) -> CheckResult:
        findings = [
            *self.reading.identity_findings,
            *check_features(self.values, self.reading.manifest),
            *check_metadata(self.values, self.reading.manifest),
            *(problem for problem in self._problems("describe") if problem.rule in _OF_THE_MANIFEST),
        ]
        if self.described:
            findings += check_schemas(self.described, self.reading.manifest)
        features = self.values.get("features")
        count = len(features) if isinstance(features, list) else 0
        detail = f"{_counted(len(fields(self.described.get('schemas'))), 'model')}, {_counted(count, 'feature')}"
        checked = judge("schemas", detail, Source.CLAIMED, findings)
        return checked if self.described else _unless_failed(checked, self._why_not("describe"))

    def pipeline(self) -> CheckResult:
        findings = self._stage_findings("describe")
        findings += (problem for problem in self._problems("describe") if problem.rule not in _OF_THE_MANIFEST)
        steps = entries(self.built.get("steps"))
        checked = judge("pipeline", _counted(len(steps), "step"), Source.CLAIMED, findings)
        return checked if steps else _unless_failed(checked, self._why_not("describe"))

    def tests(self) -> CheckResult:
        if not self.reading.has_tests:
            return CheckResult("tests", Status.ABSENT, "no tests/test_*.py", Source.HOST)
        result = self.result("tests")
        findings = [*self.reading.hook_findings, *self._stage_findings("tests")]
        if result is not None:
            findings += check_tests(result, self.reading.modules)
        checked = judge("tests", _tests_detail(result), Source.CLAIMED, findings)
        return checked if result is not None else _unless_failed(checked, self._why_not("tests"))

    def samples(self) -> CheckResult:
        if self.sample is None:
            return CheckResult("samples", Status.ABSENT, "no sample rows (--sample-data FILE)", Source.HOST)
        result = self.result("samples")
        findings = [*self._stage_findings("samples"), *self._problems("samples"), *self.output.findings]
        detail = (
            f"{_counted(self.output.rows, 'row')} of {self.sample.name}" if self.output.rows else self.sample.name
        )
        checked = judge("samples", detail, Source.HOST, findings)
        ran = result is not None and (bool(self.output.columns) or bool(findings))
        return checked if ran else _unless_failed(checked, self._why_not("samples"))

    def realtime(self) -> CheckResult:
        if not self.reading.has_realtime:
            missing = missing_handler(self.values)
            return CheckResult("realtime", Status.ABSENT, "no realtime.py", Source.HOST, tuple(missing))
        result = self.result("realtime")
        findings = [*self._stage_findings("realtime"), *self._problems("realtime")]
        detail = "not called" if self.stage("realtime") is None else "no answer"
        if result is not None:
            findings += check_realtime(result, self.values.get("features"))
            seconds = number(result.get("seconds"))
            detail = detail if seconds is None else f"predict in {seconds * 1000:.1f} ms"
        checked = judge("realtime", detail, Source.CLAIMED, findings)
        return checked if result is not None else _unless_failed(checked, self._why_not("realtime"))

    def confinement(self) -> list[CheckResult]:
        """How the guest as a whole ended; in the sandbox that is the engine's word."""
        if self.run is None:
            return []
        facts = self.run.facts
        source = Source.ENGINE if facts is not None else Source.HOST
        findings = check_ending(self.run.ending, self.run.reason)
        if not self.reading.has_tests and self.sample is None:
            remedy = "add tests/test_*.py, or sample rows in samples.json (or --sample-data FILE)"
            message = "the plugin has neither tests nor sample rows: it was imported, but not put to work"
            findings.append(Finding(Severity.WARNING, "run.untested", message, remedy))
        return [judge("ending", self.run.reason, source, findings)]

    def details(self) -> tuple[str, ...]:
        """Everything that only ``--verbose`` shows: tracebacks and what the stages printed."""
        found = []
        for name, report in (self.run.transcript.stages if self.run else {}).items():
            result = report.result or {}
            found += [f"{name}:\n{_quoted(trace)}" for trace in details(result.get("problems"))]
            for test in entries(result.get("tests")):
                if test.get("outcome") != "passed" and (detail := text(test.get("detail"), _DETAIL_LIMIT)):
                    found.append(f"{text(test.get('id'))}:\n{_quoted(detail)}")
            if report.output.strip():
                found.append(f"{name} printed {report.output_bytes} bytes:\n{_quoted(report.output)}")
        if self.run and self.run.transcript.diagnostics.strip():
            found.append(f"the guest's runner said:\n{_quoted(self.run.transcript.diagnostics)}")
        return tuple(found)

    def _recompute(self) -> SampleOutput:
        report = self.stage("samples")
        if report is None or report.result is None:
            return SampleOutput()
        prepared = self.built.get("prepare") == "present"
        return check_samples(report.result, report.blob, self.values.get("features"), has_prepare=prepared)

    def _problems(self, stage: str) -> list[Finding]:
        """A stage's problems; those that describe has told already are not told again."""
        told = from_guest((self.result("describe") or {}).get("problems")) if stage != "describe" else []
        problems = from_guest((self.result(stage) or {}).get("problems"))
        return [problem for problem in problems if problem not in told]

    def _stage_findings(self, name: str) -> list[Finding]:
        report = self.stage(name)
        if report is None or self.run is None:
            return []
        return check_stage(report, out_of_memory=self.run.out_of_memory, limits=self.run.limits)

    def _why_not(self, stage: str) -> str:
        if self.run is None:
            return "not run: correct the problems below first"
        return "not reached" if self.stage(stage) is None else "not run: see the problems below"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _unless_failed(checked: CheckResult, reason: str) -> CheckResult:
    if checked.status is Status.FAILED:
        return checked
    return CheckResult(checked.name, Status.NOT_RUN, reason, checked.source, checked.findings)


def _tests_detail(result: dict[str, Any] | None) -> str:
    counts: dict[str, int] = {}
    for test in entries((result or {}).get("tests")):
        outcome = one_line(test.get("outcome"), 80)
        counts[outcome] = counts.get(outcome, 0) + 1
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "none ran"


def _tests_json(result: dict[str, Any] | None) -> dict[str, Any] | None:
    if result is None:
        return None
    keys = ("version", "status", "controls", "replaced", "total", "tests", "unreported", "deselected")
    return {key: result.get(key) for key in keys}


def _samples_json(result: dict[str, Any] | None, output: SampleOutput) -> dict[str, Any] | None:
    if result is None:
        return None
    claimed = {key: result.get(key) for key in ("input", "steps", "seconds")}
    return {"claimed": claimed, "recomputed": output.to_json()}


def _realtime_json(result: dict[str, Any] | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {
        "seconds": number(result.get("seconds")),
        "request_keys": texts(result.get("request_keys")),
        "response_keys": texts(fields(result.get("response")).get("keys")),
    }


def _quoted(told: str) -> str:
    """Text of the plugin's making, marked on every line so that none of it reads as ours."""
    return "\n".join(f"  | {line}" for line in told.strip("\n").splitlines())


def _evidence(run: GuestRun | None) -> dict[str, Any]:
    if run is None:
        return {}
    stages = {
        name: {
            "ended": report.ended,
            "status": report.status,
            "seconds": round(report.seconds, 4),
            "peak_memory_bytes": report.peak_memory_bytes,
            "output_bytes": report.output_bytes,
        }
        for name, report in run.transcript.stages.items()
    }
    return {
        "place": run.place,
        "ending": run.ending.value,
        "observed": run.facts.to_json() if run.facts else None,
        "image": run.image or None,
        "stages": stages,
    }
