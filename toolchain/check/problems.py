"""What the guest noted as problems, turned into findings with a remedy."""

from __future__ import annotations

from typing import Any

from toolchain.check.untrusted import entries, line_number, message, one_line, text
from toolchain.core.findings import Finding, error

_TRACE_LIMIT = 6_000

_REMEDIES = {
    "manifest.import": "manifest.py must import on its own; correct the line",
    "pipeline.import": "pipeline.py must import on its own; correct the line",
    "pipeline.build-steps-missing": "add def build_steps(extractor_request, **kwargs)",
    "pipeline.build-steps-not-callable": "make build_steps a function",
    "pipeline.build-steps-raised": "build_steps is called with empty parameters: give every parameter a default",
    "pipeline.result": 'return {"steps": [...], "prepare": lambda ds: ds}',
    "pipeline.no-steps": "return at least one enabled step",
    "pipeline.prepare": "return a callable that takes and returns the dataset, or leave 'prepare' out",
    "pipeline.step-not-callable": "pass a StepDefinition through build_pipeline_steps, or a callable",
    "pipeline.step-construct": "the class is called as Class(config, progress_actor=None); correct its __init__",
    "samples.empty": "put at least one row into it, or pass another file with --sample-data",
    "samples.encoding": "save the file as UTF-8",
    "samples.malformed": "correct the file; JSON takes a list of objects, NDJSON one object a line",
    "samples.columns": "give every row as many fields as the header; quote fields that hold commas",
    "samples.types": "give a column one type in all rows",
    "samples.input": "correct the sample rows or the input schema",
    "samples.output": "return what output_schema promises, or correct the schema",
    "samples.step": "correct the processor at the line shown",
    "schemas.validator": "a validator must raise ValueError for bad input and nothing else",
    "realtime.import": "realtime.py must import on its own; correct the line",
    "realtime.handler-missing": "add class RealtimeHandler with predict(self, request), or remove realtime.py",
    "realtime.construct": "RealtimeHandler() is constructed without arguments; correct its __init__",
    "realtime.predict": "predict is called with the first sample row, or with {}; correct the line shown",
}


def from_guest(problems: Any) -> list[Finding]:
    """Findings for a guest's list of problems; what does not look like one is left out, being untrusted."""
    return [_finding(problem) for problem in entries(problems)[:200]]


def details(problems: Any) -> list[str]:
    """The tracebacks among a guest's problems, for ``--verbose``."""
    return [trace for problem in entries(problems) if (trace := text(problem.get("trace"), _TRACE_LIMIT))]


def _finding(problem: dict[str, Any]) -> Finding:
    code = text(problem.get("code"))
    return error(
        code if code in _REMEDIES else "guest.problem",
        message(problem.get("message")),
        _remedy(code, problem),
        file=one_line(problem.get("file")) or None,
        line=line_number(problem.get("line")),
    )


_OWN_MODULES = {"manifest", "pipeline", "processors", "realtime"}


def _remedy(code: str, problem: dict[str, Any]) -> str:
    missing = one_line(problem.get("missing"), 100)
    package, _, within = missing.partition(".")
    if package in _OWN_MODULES:
        return f"it is a module of the plugin itself: write a relative import, as in 'from .{missing} import …'"
    if within:
        return f"{package!r} is there but has no module {within!r}: correct the name in the import"
    if package:
        return (
            f"if {package!r} is a package, add the distribution that holds it to the plugin's dependencies "
            "(pyproject.toml, requirements.txt or the manifest); if it is a file of the plugin, check the import"
        )
    return _REMEDIES.get(code, "see the message; run again with --verbose for the whole traceback")
