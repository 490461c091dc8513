"""A run as a whole: conditions, order, pass-through, reports, progress, preparation."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from engine.executors.local import LocalExecutor, StepError, StepProgress
from engine.plugins.extractors.pipeline import (
    PipelineDefinition,
    ResourceType,
    RowCondition,
    StepDefinition,
    build_pipeline_steps,
)

BACKENDS = ["numpy", "arrow"]


class Seen:
    """A step that remembers the batches it was given."""

    def __init__(self):
        self.batches = []

    def __call__(self, batch):
        self.batches.append(batch.copy())
        batch["length"] = batch["data"].str.len()
        return batch


@pytest.mark.parametrize("backend", BACKENDS)
def test_only_matching_rows_reach_the_step_and_the_others_pass_by(backend, table, build):
    (step,) = build(Seen, condition=RowCondition.IS_TEXT, batch_size=2)
    result = LocalExecutor(backend=backend).run([step], table)
    assert [len(batch) for batch in step.service.batches] == [2, 2, 1]
    assert [batch.index.tolist() for batch in step.service.batches] == [[0, 1], [0, 1], [0]]
    assert pd.concat(step.service.batches)["document_id"].tolist() == ["d0", "d2", "d4", "d6", "d8"]
    assert result.table["length"].to_pylist() == [6, None] * 5
    assert result.table.select(table.column_names).equals(table)


@pytest.mark.parametrize("backend", BACKENDS)
def test_editing_a_column_in_place_leaves_the_other_rows_alone(backend, table, build):
    def shout(batch):
        batch["data"] = batch["data"].str.upper()
        batch.loc[0, "document_id"] = batch.loc[0, "document_id"]
        return batch

    before = table.to_pylist()
    result = LocalExecutor(backend=backend).run(build(shout, condition=RowCondition.IS_TEXT, batch_size=2), table)
    expected = [
        {**row, "data": row["data"].upper() if n % 2 == 0 else row["data"]} for n, row in enumerate(before)
    ]
    assert result.table.to_pylist() == expected
    assert result.table.schema == table.schema
    assert table.to_pylist() == before
    assert (result.steps[0].changed_columns, result.steps[0].new_columns) == (("data",), ())


@pytest.mark.parametrize("how", ["loc", "iloc", "augmented", "insert"])
def test_writing_through_a_single_batch_cannot_reach_the_callers_table(how):
    table = pa.table({"value": np.arange(4.0)})

    def write(batch):
        if how == "loc":
            batch.loc[1, "value"] = -1.0
        elif how == "iloc":
            batch.iloc[1, 0] = -1.0
        elif how == "augmented":
            batch["value"] -= 2.0 * (batch.index == 1)
        else:
            batch["value"] = [0.0, -1.0, 2.0, 3.0]
        return batch

    result = LocalExecutor().run([write], table)
    assert table["value"].to_pylist() == [0.0, 1.0, 2.0, 3.0]
    assert result.table["value"].to_pylist() == [0.0, -1.0, 2.0, 3.0]


def test_a_dict_edited_in_place_is_seen_as_a_change():
    table = pa.table({"meta": [{"a": 1}, {"a": 2}]})

    def edit(batch):
        for meta in batch["meta"]:
            meta["a"] += 10
        return batch

    result = LocalExecutor().run([edit], table)
    assert result.table["meta"].to_pylist() == [{"a": 11}, {"a": 12}]
    assert table["meta"].to_pylist() == [{"a": 1}, {"a": 2}]


def test_a_frame_that_is_handed_out_again_keeps_earlier_batches():
    class Reusing:
        def __init__(self):
            self.frame = pd.DataFrame({"n": [0, 0]})

        def __call__(self, batch):
            self.frame.loc[:, "n"] = batch["n"].to_numpy() * 10
            return self.frame

    executor = LocalExecutor(batch_sizes={ResourceType.CPU: 2})
    assert executor.run([Reusing()], pa.table({"n": [1, 2, 3, 4]})).table["n"].to_pylist() == [10, 20, 30, 40]


@pytest.mark.parametrize("backend", BACKENDS)
def test_columns_a_step_leaves_alone_keep_their_exact_type(backend):
    table = pa.table(
        {
            "whole": pa.array([1, None, 2**60 + 1], pa.int64()),
            "flag": pa.array([True, None, False]),
            "when": pa.array([1, None, 3], pa.timestamp("us", "UTC")),
            "day": pa.array([1, None, 3], pa.date32()),
            "vector": pa.array([[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2)),
            "meta": pa.array([{"a": 1}, None, {"a": 3}]),
            "kind": pa.array(["x", None, "x"]).dictionary_encode(),
            "nothing": pa.nulls(3),
            "view": pa.array(["a", None, "c"], pa.large_string()),
            "bytes": pa.array([b"a", None, b"c"]),
        }
    )

    def add(batch):
        batch["n"] = range(len(batch))
        return batch

    result = LocalExecutor(backend=backend).run([add], table)
    assert result.table.drop_columns(["n"]).equals(table)
    assert result.table["n"].to_pylist() == [0, 1, 2]


def test_a_step_may_return_only_its_new_columns_and_others_are_gone_where_every_row_lost_them(table, build):
    def only_new(batch):
        return pd.DataFrame({"document_id": batch["document_id"], "n": 1})

    everywhere = LocalExecutor().run(build(only_new), table)
    assert everywhere.table.column_names == ["document_id", "n"]
    assert everywhere.steps[0].dropped_columns == ("data", "mime_type", "size", "tags")
    in_text = LocalExecutor().run(build(only_new, condition=RowCondition.IS_TEXT), table)
    assert in_text.table.column_names == [*table.column_names, "n"]
    assert in_text.table["size"].to_pylist() == [None, 1, None, None, None, 5, None, 7, None, None]


@pytest.mark.parametrize("chunk_rows", [1, 3, 4, 65_536])
def test_chunks_do_not_show(chunk_rows, table, build):
    steps = build(Seen, condition=RowCondition.IS_TEXT, batch_size=2)
    result = LocalExecutor(chunk_rows=chunk_rows).run(steps, table)
    assert result.table["length"].to_pylist() == [6, None] * 5


def test_batch_sizes_follow_the_resource_type_unless_the_step_says(build):
    table = pa.table({"data": ["x"] * 100})
    for resource, default in ((ResourceType.CPU, 64), (ResourceType.GPU, 8), (ResourceType.API, 16)):
        (step,) = build(Seen, resource_type=resource)
        report = LocalExecutor().run([step], table).steps[0]
        assert len(step.service.batches[0]) == default == report.batch_size
        assert report.batches == len(step.service.batches)
        (step,) = build(Seen, resource_type=resource)
        LocalExecutor(batch_sizes={resource: 50}).run([step], table)
        assert [len(batch) for batch in step.service.batches] == [50, 50]
        (step,) = build(Seen, resource_type=resource, batch_size=40)
        LocalExecutor(batch_sizes={resource: 50}).run([step], table)
        assert [len(batch) for batch in step.service.batches] == [40, 40, 20]


def test_a_batch_larger_than_a_chunk_is_kept_whole(build):
    (step,) = build(Seen, batch_size=10)
    LocalExecutor(chunk_rows=4).run([step], pa.table({"data": ["x"] * 15}))
    assert [len(batch) for batch in step.service.batches] == [10, 5]


def test_backends_differ_in_what_processors_see(table):
    def look(batch):
        seen.append((batch["size"].dtype, batch["size"][0]))
        return batch

    for backend, dtype, missing in (
        ("numpy", np.dtype("float64"), np.nan),
        ("arrow", pd.ArrowDtype(pa.int64()), pd.NA),
    ):
        seen = []
        LocalExecutor(backend=backend).run([look], table)
        assert seen[0][0] == dtype
        assert seen[0][1] is missing or np.isnan(seen[0][1])


def test_a_table_that_came_from_pandas_keeps_its_index_columns_as_columns():
    frame = pd.DataFrame({"data": ["a", "b"]}, index=pd.Index(["x", "y"], name="key"))
    result = LocalExecutor().run([lambda batch: batch], pa.Table.from_pandas(frame))
    assert result.table.column_names == ["data", "key"]


def test_a_later_step_sees_what_an_earlier_one_made(table, build):
    def describe(batch):
        batch["mime_type"] = "text/plain"
        return batch

    (first,) = build(describe, condition=RowCondition.IS_IMAGE)
    (second,) = build(Seen, condition=RowCondition.IS_TEXT)
    result = LocalExecutor().run([first, second], table)
    assert result.steps[1].rows_matched == 10
    assert result.table["length"].null_count == 0


class Refusing:
    def __init__(self):
        raise RuntimeError("no model here")

    def __call__(self, batch):
        return batch


@pytest.mark.parametrize("rows", [0, 3])
def test_a_step_without_rows_is_not_constructed_and_adds_nothing(rows, build):
    table = pa.table({"mime_type": pa.array(["image/png"] * rows, pa.string())})
    result = LocalExecutor().run(build(Refusing, condition=RowCondition.IS_TEXT), table)
    assert result.table.equals(table)
    report = result.steps[0]
    assert (report.rows, report.rows_matched, report.batches, report.new_columns) == (rows, 0, 0, ())


def test_an_empty_table_and_no_steps(table, build):
    assert LocalExecutor().run(build(Seen), table.slice(0, 0)).table.equals(table.slice(0, 0))
    assert LocalExecutor().run([], table).table.equals(table)


def test_one_row(table, build):
    result = LocalExecutor().run(build(Seen), table.slice(0, 1))
    assert result.table["length"].to_pylist() == [6]


def test_a_constructor_that_fails_is_a_step_error(table, build):
    with pytest.raises(
        StepError, match=r"Refusing could not be constructed: RuntimeError: no model here"
    ) as caught:
        LocalExecutor(on_row_error="set_aside").run(build(Refusing), table)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert caught.value.step == "Refusing"


def test_processors_and_functions_are_legal_steps(table):
    def count(batch):
        batch["n"] = 1
        return batch

    result = LocalExecutor().run([Seen(), count], table)
    assert [(step.name, step.condition) for step in result.steps] == [
        ("Seen", RowCondition.ALWAYS),
        ("count", RowCondition.ALWAYS),
    ]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ([Seen], "Step 1 of 1 is the class Seen.*not constructed"),
        ([Seen(), 5], "Step 2 of 2 is a int.*cannot be called"),
        ([StepDefinition(Seen)], "is a StepDefinition.*build_pipeline_steps"),
        (PipelineDefinition("p", "1.0.0", []), "are a PipelineDefinition"),
        ("steps", "are a str"),
        (None, "are a NoneType"),
    ],
)
def test_what_is_no_step_is_explained(steps, message, table):
    with pytest.raises(TypeError, match=message):
        LocalExecutor().run(steps, table)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"backend": "polars"}, ValueError, "backend is 'polars'"),
        ({"on_row_error": "skip"}, ValueError, "on_row_error is 'skip'"),
        ({"batch_sizes": {"cpu": 1}}, TypeError, "Use a ResourceType"),
        ({"batch_sizes": {ResourceType.CPU: 0}}, ValueError, "Pass 1 or more"),
        ({"chunk_rows": 0}, ValueError, "chunk_rows is 0"),
    ],
)
def test_wrong_options_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        LocalExecutor(**options)


def test_wrong_datasets_are_refused():
    with pytest.raises(TypeError, match=r"Pass a pyarrow.Table"):
        LocalExecutor().run([], pd.DataFrame())
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pytest.raises(ValueError, match=r"'a' twice"):
        LocalExecutor().run([], twice)


def test_string_views_are_accepted():
    table = pa.table({"data": pa.array(["a", "b.png"]).cast(pa.string_view())})
    steps = build_pipeline_steps(
        PipelineDefinition("p", "1.0.0", [StepDefinition(Seen, condition=RowCondition.IS_TEXT)])
    )
    assert LocalExecutor().run(steps, table).table["length"].to_pylist() == [1, None]


def test_the_report_counts(table, build):
    (report,) = LocalExecutor().run(build(Seen, condition=RowCondition.IS_TEXT, batch_size=2), table).steps
    assert (report.name, report.rows, report.rows_matched, report.batches) == ("Seen", 10, 5, 3)
    assert report.new_columns == ("length",)
    assert report.seconds > 0
    assert report.rows_per_second == pytest.approx(5 / report.seconds)
    assert report.peak_memory_bytes >= 0


def test_memory_growth_is_measured(build):
    def grow(batch):
        keep.append(bytearray(256 * 2**20))
        return batch

    keep = []
    (report,) = LocalExecutor().run(build(grow), pa.table({"n": [1]})).steps
    assert report.peak_memory_bytes > 100 * 2**20


def test_progress_is_reported_after_each_batch(table, build):
    events = []
    LocalExecutor().run(build(Seen, condition=RowCondition.IS_TEXT, batch_size=2), table, progress=events.append)
    assert events == [StepProgress("Seen", 1, 1, done, 5) for done in (2, 4, 5)]


class Reporting:
    def __init__(self, progress_actor=None):
        self.progress_actor = progress_actor

    def __call__(self, batch):
        if self.progress_actor is not None:
            self.progress_actor.update.remote(len(batch), stage="embed")
            self.progress_actor.update.options(num_returns=0).remote(1)
            self.progress_actor.log("done")
        return batch


def test_processors_get_an_actor_with_a_listener_only(table, build):
    result = LocalExecutor().run(build(Reporting), table, progress=lambda _event: None)
    assert [(call.method, call.arguments, call.keywords) for call in result.progress_calls] == [
        ("update", (10,), {"stage": "embed"}),
        ("update", (1,), {}),
        ("log", ("done",), {}),
    ]
    assert LocalExecutor().run(build(Reporting), table).progress_calls == ()


def test_prepare_comes_first_and_may_change_the_rows(table):
    result = LocalExecutor().run([Seen()], table, prepare=lambda ds: ds.limit(3))
    assert result.table["document_id"].to_pylist() == ["d0", "d1", "d2"]
    assert result.steps[0].rows == 3
    assert LocalExecutor().run([], table, prepare=lambda ds: ds).table.equals(table)
