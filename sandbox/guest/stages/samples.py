"""Runs the plugin's pipeline over the sample rows and sends back the table that came out."""

from __future__ import annotations

import io
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sandbox.guest.stages import StageContext
from sandbox.guest.stages.describe import build, load
from sandbox.guest.stages.loading import Problems
from sandbox.guest.stages.reading import SampleRefused, read_table
from sandbox.guest.stages.rows import RowCheck, validate_rows

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    from engine.executors.local import ExecutionResult


def run(context: StageContext) -> tuple[dict[str, Any], bytes]:
    """The steps' figures and the output table as an Arrow IPC stream, or the problems that prevented it."""
    problems = Problems(context.root)
    body: dict[str, Any] = {"problems": problems.items, "input": None, "steps": [], "seconds": None}
    context.emit("reading the sample file")
    try:
        table = read_table(context)
    except SampleRefused as reason:
        assert context.sample is not None
        problems.add(reason.code, str(reason), file=context.sample["name"], line=reason.line)
        return body, b""
    body["input"] = {"rows": table.num_rows, "columns": table.column_names}
    manifest = load(context, "manifest", problems)
    pipeline = problems.attempt("pipeline.import", lambda: import_module(f"{context.name}.pipeline"))
    built = build(context, pipeline, problems, dataset_size=table.num_rows) if pipeline is not None else None
    if manifest is None or built is None or not built["steps"]:
        return body, b""

    from engine.rows import complete_columns

    table = complete_columns(table)
    context.emit("checking the sample rows against input_schema")
    matched = _matched(built["steps"], table)
    # A mixed batch holds rows that are none of the plugin's business: no schema of its own speaks of them.
    validate_rows(RowCheck("samples.input", getattr(manifest, "input_schema", None), matched), table, problems)
    result = _execute(context, built, table, problems)
    if result is None:
        return body, b""
    context.emit("checking the output rows against output_schema")
    # Where `prepare` changed the rows, the mask says nothing of those that came out.
    answered = matched if result.table.num_rows == table.num_rows else None
    features = _embedding_features(getattr(manifest, "features", None))
    outputs = RowCheck("samples.output", getattr(manifest, "output_schema", None), answered, features)
    validate_rows(outputs, result.table, problems)
    body["seconds"] = result.seconds
    body["steps"] = [_step(report) for report in result.steps]
    return body, _arrow(result.table, answered)


def _execute(
    context: StageContext, built: dict[str, Any], table: pa.Table, problems: Problems
) -> ExecutionResult | None:
    from engine.executors.local import LocalExecutor, StepProgress

    def listen(progress: StepProgress) -> None:
        at = f"step {progress.step}: {progress.rows_done} of {progress.rows_total} rows"
        is_last = progress.rows_done >= progress.rows_total and progress.place < progress.steps
        context.emit(f"{at}, then the next step" if is_last else at)

    context.emit("running the steps over the sample rows")
    run = LocalExecutor().run
    return problems.attempt(
        "samples.step", lambda: run(built["steps"], table, prepare=built.get("prepare"), progress=listen)
    )


def _matched(steps: list[Any], table: pa.Table) -> npt.NDArray[np.bool_]:
    """Which rows at least one step received: only for these does ``output_schema`` promise anything."""
    import numpy as np

    from engine.plugins.extractors.pipeline import BuiltStep, RowCondition
    from engine.rows import condition_mask, mime_types

    types = mime_types(table)
    matched = np.zeros(table.num_rows, dtype=np.bool_)
    for step in steps:
        condition = step.condition if isinstance(step, BuiltStep) else RowCondition.ALWAYS
        matched |= condition_mask(types, condition)
    return matched


def _embedding_features(features: Any) -> tuple[str, ...]:
    if not isinstance(features, (list, tuple)):
        return ()
    entries = [feature for feature in features if isinstance(feature, dict)]
    return tuple(str(entry["feature_name"]) for entry in entries if isinstance(entry.get("feature_name"), str))


def _step(report: Any) -> dict[str, Any]:
    return {
        "name": report.name,
        "resource_type": report.resource_type.value,
        "condition": report.condition.value,
        "batch_size": report.batch_size,
        "rows": report.rows,
        "rows_matched": report.rows_matched,
        "batches": report.batches,
        "seconds": report.seconds,
        "rows_per_second": report.rows_per_second,
        "peak_memory_bytes": report.peak_memory_bytes,
        "new_columns": list(report.new_columns),
    }


def _arrow(table: pa.Table, matched: npt.NDArray[np.bool_] | None) -> bytes:
    """The table as an IPC stream, with a last column that says which rows a step received."""
    import pyarrow as pa

    flags = pa.array(matched) if matched is not None else pa.array([True] * table.num_rows)
    table = table.append_column("__matched__", flags)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()
