"""Puts the host's reading and the guest's account together into the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.conversation import Sample, StageReport
from toolchain.check.guest_run import GuestRun
from toolchain.check.problems import details, from_guest
from toolchain.check.reading import Reading
from toolchain.check.realtime import check_realtime, missing_handler
from toolchain.check.report import CheckResult, Source, Status, TestReport, judge
from toolchain.check.sampling import SampleOutput, check_samples
from toolchain.check.schemas import check_features, check_metadata, check_schemas
from toolchain.check.stages import check_ending, check_stage
from toolchain.check.testing import check_tests
from toolchain.core.findings import Finding


def assemble(reading: Reading, run: GuestRun | None, sample: Sample | None, *, mode: str) -> TestReport:
    """The report on a plugin; ``run`` is ``None`` when the files alone showed that it cannot run."""
    assembly = _Assembly(reading, run, sample)
    checks = [
        assembly.structure(),
        assembly.schemas(),
        assembly.pipeline(),
        assembly.tests(),
        assembly.samples(),
        assembly.realtime(),
        *assembly.confinement(),
    ]
    output = assembly.output
    return TestReport(
        plugin={
            "name": reading.manifest.name,
            "version": reading.manifest.version,
            "path": str(reading.tree.root),
            "files": len(reading.tree.files),
        },
        mode=mode,
        checks=tuple(checks),
        samples=_samples_json(assembly.result("samples"), output),
        tests=_tests_json(assembly.result("tests")),
        realtime=_realtime_json(assembly.result("realtime")),
        evidence=_evidence(run),
        details=assembly.details(),
    )


@dataclass
class _Assembly:
    reading: Reading
    run: GuestRun | None
    sample: Sample | None

    def __post_init__(self) -> None:
        described = self.result("describe") or {}
        manifest = described.get("manifest")
        self.described: dict[str, Any] = manifest if isinstance(manifest, dict) else {}
        values = self.described.get("values")
        # The guest evaluates what is computed; without it the literals of the syntax tree have to do.
        self.values: dict[str, Any] = values if isinstance(values, dict) else self.reading.manifest.values
        pipeline = described.get("pipeline")
        self.steps: dict[str, Any] | None = pipeline if isinstance(pipeline, dict) else None
        self.output = self._recompute()

    def stage(self, name: str) -> StageReport | None:
        """What the supervisor said of a stage."""
        return self.run.transcript.stages.get(name) if self.run else None

    def result(self, name: str) -> dict[str, Any] | None:
        """What the stage itself reported."""
        report = self.stage(name)
        return report.result if report else None

    def structure(self) -> CheckResult:
        findings = (*self.reading.structure_findings, *self.reading.requirement_findings)
        return judge("structure", _counted(len(self.reading.tree.files), "file"), Source.HOST, findings)

    def schemas(self) -> CheckResult:
        findings = [
            *self.reading.identity_findings,
            *check_features(self.values, self.reading.manifest),
            *check_metadata(self.values, self.reading.manifest),
            *self._problems("describe", "manifest."),
        ]
        if self.described:
            findings += check_schemas(self.described, self.reading.manifest)
        features = self.values.get("features")
        count = len(features) if isinstance(features, list) else 0
        detail = f"{_counted(len(self.described.get('schemas', {})), 'model')}, {_counted(count, 'feature')}"
        checked = judge("schemas", detail, Source.CLAIMED, findings)
        return checked if self.described else _unless_failed(checked, self._why_not("describe"))

    def pipeline(self) -> CheckResult:
        findings = [*self._stage_findings("describe"), *self._problems("describe", "pipeline.")]
        steps = self.steps.get("steps") if self.steps else None
        count = len(steps) if isinstance(steps, list) else 0
        checked = judge("pipeline", _counted(count, "step"), Source.CLAIMED, findings)
        return checked if self.steps is not None else _unless_failed(checked, self._why_not("describe"))

    def tests(self) -> CheckResult:
        if not self.reading.has_tests:
            return CheckResult("tests", Status.ABSENT, "no tests/test_*.py", Source.HOST)
        result = self.result("tests")
        findings = self._stage_findings("tests")
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
        detail = "not called"
        if result is not None:
            findings += check_realtime(result, self.values.get("features"))
            seconds = result.get("seconds")
            detail = f"predict in {seconds * 1000:.1f} ms" if isinstance(seconds, float) else detail
        checked = judge("realtime", detail, Source.CLAIMED, findings)
        return checked if result is not None else _unless_failed(checked, self._why_not("realtime"))

    def confinement(self) -> list[CheckResult]:
        """How the guest as a whole ended; in the sandbox that is the engine's word."""
        if self.run is None:
            return []
        facts = self.run.facts
        source = Source.ENGINE if facts is not None else Source.HOST
        return [judge("ending", self.run.reason, source, check_ending(self.run.ending, self.run.reason))]

    def details(self) -> tuple[str, ...]:
        """Everything that only ``--verbose`` shows: tracebacks and what the stages printed."""
        found = []
        for name, report in (self.run.transcript.stages if self.run else {}).items():
            result = report.result or {}
            found += [f"{name}: {trace}" for trace in details(result.get("problems"))]
            tests = result.get("tests") if name == "tests" else None
            for test in tests if isinstance(tests, list) else []:
                if isinstance(test, dict) and test.get("outcome") != "passed" and test.get("detail"):
                    found.append(f"{test.get('id')}:\n{test['detail']}")
            if report.output.strip():
                found.append(f"{name} printed {report.output_bytes} bytes:\n{report.output.rstrip()}")
        if self.run and self.run.transcript.diagnostics.strip():
            found.append(f"the guest's runner said:\n{self.run.transcript.diagnostics.rstrip()}")
        return tuple(found)

    def _recompute(self) -> SampleOutput:
        report = self.stage("samples")
        if report is None or report.result is None:
            return SampleOutput()
        prepared = self.steps is not None and self.steps.get("prepare") == "present"
        return check_samples(report.result, report.blob, self.values.get("features"), has_prepare=prepared)

    def _problems(self, stage: str, prefix: str = "") -> list[Finding]:
        """A stage's problems; those that describe has told already are not told again."""
        result = self.result(stage)
        findings = from_guest(result.get("problems")) if result else []
        if stage != "describe":
            told = from_guest((self.result("describe") or {}).get("problems"))
            findings = [finding for finding in findings if finding not in told]
        return [finding for finding in findings if finding.rule.startswith(prefix)]

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
    for test in (result or {}).get("tests") or []:
        if isinstance(test, dict):
            outcome = str(test.get("outcome"))
            counts[outcome] = counts.get(outcome, 0) + 1
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items()) or "none ran"


def _tests_json(result: dict[str, Any] | None) -> dict[str, Any] | None:
    if result is None:
        return None
    keys = ("version", "status", "controls", "total", "tests", "deselected", "collection_errors")
    return {key: result.get(key) for key in keys}


def _samples_json(result: dict[str, Any] | None, output: SampleOutput) -> dict[str, Any] | None:
    if result is None:
        return None
    claimed = {key: result.get(key) for key in ("input", "steps", "seconds")}
    return {"claimed": claimed, "recomputed": output.to_json()}


def _realtime_json(result: dict[str, Any] | None) -> dict[str, Any] | None:
    if result is None:
        return None
    response = result.get("response")
    keys = response.get("keys") if isinstance(response, dict) else None
    return {"seconds": result.get("seconds"), "request_keys": result.get("request_keys"), "response_keys": keys}


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
