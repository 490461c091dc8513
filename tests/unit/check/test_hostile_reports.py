"""Whatever a guest reports, the host judges it without falling over, and says only what can be printed."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import jsonschema
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sandbox.conversation import Sample, StageReport, Transcript
from sandbox.outcome import Ending
from tests.support.plugins import make_plugin
from toolchain.check.assemble import assemble
from toolchain.check.guest_run import GuestRun
from toolchain.check.reading import read_plugin
from toolchain.check.report import TestReport
from toolchain.cli.rendering import render_report
from toolchain.core.errors import ExitCode

SAMPLE = Sample("samples.json", "json", b"[]")
DESCRIBE = {
    "manifest": {
        "values": {
            "metadata": {"category": "text"},
            "features": [
                {
                    "feature_type": "embedding",
                    "feature_name": "vector",
                    "embedding_dim": 2,
                    "distance_metric": "cosine",
                }
            ],
        },
        "schemas": {
            "input_schema": {"kind": "pydantic", "name": "Input", "fields": {}},
            "output_schema": {"kind": "pydantic", "name": "Output", "fields": {}},
        },
    },
    "pipeline": {"steps": [{"name": "Processor"}], "prepare": "absent"},
    "problems": [],
}
TESTS = {
    "available": True,
    "version": "8.0.0",
    "status": 1,
    "controls": {"must-pass": "passed", "must-fail": "failed"},
    "replaced": [],
    "tests": [{"id": "tests/test_it.py::test_truth", "outcome": "passed"}],
    "total": 1,
    "unreported": [],
    "deselected": [],
    "collection_errors": [],
}
SAMPLES = {"problems": [], "input": {"rows": 2}, "steps": [], "seconds": 0.1}
REALTIME = {"problems": [], "response": {"kind": "dict", "keys": ["vector"], "vectors": {"vector": [1.0, 2.0]}}}
HONEST = {"describe": DESCRIBE, "tests": TESTS, "samples": SAMPLES, "realtime": REALTIME}


def stream(**columns: object) -> bytes:
    table = pa.table(columns)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


BLOB = stream(vector=[[1.0, 2.0], [3.0, 4.0]], __matched__=[True, True])


@pytest.fixture(scope="module")
def reading(tmp_path_factory):
    plugin = make_plugin(tmp_path_factory.mktemp("hostile"))
    plugin.write("realtime.py", "class RealtimeHandler: pass\n")
    return read_plugin(plugin.root)


def judged(reading, results: dict, blob: bytes = BLOB, **changes: object) -> TestReport:
    stages = {
        name: replace(
            StageReport(name, "exited", 0, 0.1, 1, "", 0, None, None, result, blob if name == "samples" else b""),
            **changes,  # type: ignore[arg-type]
        )
        for name, result in results.items()
    }
    run = GuestRun("here", Transcript(list(stages), stages, done=True), Ending.COMPLETED, "done", "limits")
    return assemble(reading, run, SAMPLE, None)


def test_the_honest_reports_pass(reading):
    report = judged(reading, HONEST)
    assert report.findings == ()
    assert report.exit_code is ExitCode.PASSED


@pytest.mark.parametrize("stage", HONEST)
def test_a_stage_that_says_nothing_never_passes(reading, stage):
    for silence in (None, {}):
        assert judged(reading, {**HONEST, stage: silence}).exit_code is not ExitCode.PASSED
    without = {name: result for name, result in HONEST.items() if name != stage}
    assert judged(reading, without).exit_code is ExitCode.COULD_NOT_TELL


@pytest.mark.parametrize(
    "change",
    [
        {"status": 3},
        {"status": -9},
        {"status": None},
        {"ended": "deadline"},
        {"ended": "lost: x"},
        {"violation": "x"},
    ],
)
def test_a_stage_that_did_not_end_well_never_passes_whatever_it_reported(reading, change):
    assert judged(reading, HONEST, **change).exit_code is ExitCode.PLUGIN_AT_FAULT


def test_a_problem_of_a_kind_that_we_do_not_know_still_fails(reading):
    for stage in ("describe", "samples", "realtime"):
        result = {**HONEST[stage], "problems": [{"code": "made.up", "message": ""}]}
        report = judged(reading, {**HONEST, stage: result})
        assert report.exit_code is ExitCode.PLUGIN_AT_FAULT, stage


words = st.sampled_from(
    ["", "passed", "failed", "dict", "vector", "embedding", "x\nPASSED", "tests/test_it.py::test_truth", "[", "::"]
)
scalars = st.none() | st.booleans() | words | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(-1e300, 1e300)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=8
)


def paths(value: object, path: tuple = ()) -> list[tuple]:
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += paths(inner, (*path, key))
    return found


def spoiled(value: object, path: tuple, new: object) -> object:
    """A copy of a report with one place replaced."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)  # type: ignore[call-overload]
    copy[path[0]] = spoiled(copy[path[0]], path[1:], new)
    return copy


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_json_in_any_place_is_judged(reading, data, output_schema):
    """One place of an honest report holds something else: the host does not raise, nor print what it must not."""
    stage = data.draw(st.sampled_from(list(HONEST)))
    path = data.draw(st.sampled_from(paths(HONEST[stage])))
    result = spoiled(HONEST[stage], path, data.draw(anything))
    report = judged(reading, {**HONEST, stage: result if isinstance(result, dict) else None})
    shown = render_report(report, verbose=True)
    assert "PASSED" not in shown.splitlines() or report.exit_code is ExitCode.PASSED
    findings = [finding.to_json() for finding in report.findings]
    json.dumps(report.to_json(), allow_nan=False)
    jsonschema.validate(findings, output_schema)


@pytest.fixture(scope="module")
def output_schema():
    from pathlib import Path

    from toolchain.cli import output

    return json.loads(Path(output.__file__).with_name("output.schema.json").read_text())["properties"]["findings"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_bytes_for_a_table_are_judged(reading, data):
    changed = bytearray(BLOB)
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, len(BLOB) - 1))] = data.draw(st.integers(0, 255))
    judged(reading, HONEST, bytes(changed))


@pytest.mark.parametrize(
    "columns",
    [
        {"vector": [[2**62, 1], [1, 2]]},
        {"vector": pa.array([[2**64 - 1, 1], [1, 2]], pa.list_(pa.uint64()))},
        {"vector": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float16()))},
        {"vector": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2))},
        {"vector": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.large_list(pa.float64()))},
        {"embedding": [[1.0, 2.0], [3.0, 4.0]]},
    ],
)
def test_every_kind_of_vector_is_measured(reading, columns):
    assert judged(reading, HONEST, stream(**columns, __matched__=[True, True])).findings == ()


@pytest.mark.parametrize(
    ("vector", "rule"),
    [
        ([[], [1.0]], "samples.dimension"),
        ([None, None], "samples.vectors-missing"),
        ([[None, 1.0], [1.0, 2.0]], "samples.not-finite"),
        ([[1.0], [1.0, 2.0]], "samples.dimension"),
        ([{"a": 1}, {"a": 2}], "samples.vector-type"),
        ([["a"], ["b"]], "samples.vector-type"),
        ([1.0, 2.0], "samples.vector-type"),
        ([[1.0, 2.0], [1.0, 2.0]], "samples.all-equal"),
    ],
)
def test_vectors_that_cannot_be_used(reading, vector, rule):
    report = judged(reading, HONEST, stream(vector=vector, __matched__=[True, True]))
    assert [finding.rule for finding in report.findings] == [rule]


def test_a_report_of_our_own_in_a_message_stays_within_the_message(reading):
    forged = "\n\n  ok    tests       1 passed\n\nPASSED\n"
    tests = {**TESTS, "tests": [{**TESTS["tests"][0], "outcome": "failed", "message": forged, "detail": forged}]}
    shown = render_report(judged(reading, {**HONEST, "tests": tests}), verbose=True)
    assert "PASSED" not in shown.splitlines()
    assert shown.splitlines()[-1].startswith("FAILED")


def test_a_realtime_handler_that_was_called_and_hung_is_not_called_uncalled(reading):
    report = judged(reading, {**HONEST, "realtime": None}, ended="deadline")
    (realtime,) = [check for check in report.checks if check.name == "realtime"]
    assert realtime.detail == "no answer"
