"""New columns: vectors, missing values, types that differ between batches, values without an Arrow form."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from engine.executors.columns import UnconvertibleError, to_arrow
from engine.executors.local import LocalExecutor, StepError
from engine.plugins.extractors.pipeline import ResourceType, RowCondition


def column(values):
    return pd.Series(values, dtype=object)


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float64()), [[1.0, 2.0], [3.0, 4.0]]),
        ([np.array([1, 2], np.float32), np.array([3, 4], np.float32)], pa.list_(pa.float32()), [[1, 2], [3, 4]]),
        ([(1, 2), (3, 4)], pa.list_(pa.int64()), [[1, 2], [3, 4]]),
        ([[1.5], None, [2.5, 3.5]], pa.list_(pa.float64()), [[1.5], None, [2.5, 3.5]]),
        ([np.nan, [1.5], pd.NA], pa.list_(pa.float64()), [None, [1.5], None]),
        ([np.array([1.5]), [2.5, 3.5]], pa.list_(pa.float64()), [[1.5], [2.5, 3.5]]),
        ([[], [1, 2]], pa.list_(pa.int64()), [[], [1, 2]]),
        ([[], []], pa.list_(pa.null()), [[], []]),
        ([[True], [False]], pa.list_(pa.bool_()), [[True], [False]]),
        ([["a"], ["b", None]], pa.list_(pa.string()), [["a"], ["b", None]]),
        ([[[1], [2, 3]], [[4]]], pa.list_(pa.list_(pa.int64())), [[[1], [2, 3]], [[4]]]),
        ([np.ones((1, 2)), np.zeros((1, 2))], pa.list_(pa.list_(pa.float64())), [[[1.0, 1.0]], [[0.0, 0.0]]]),
        ([{"a": 1}, None], pa.struct([("a", pa.int64())]), [{"a": 1}, None]),
        ([None, None], pa.null(), [None, None]),
        ([1, None, np.nan, pd.NA], pa.int64(), [1, None, None, None]),
        ([np.array(1.5), np.array(2.5)], pa.float64(), [1.5, 2.5]),
        ([], pa.null(), []),
    ],
)
def test_object_columns(values, kind, expected):
    array = to_arrow(column(values))
    assert array.type == kind
    assert array.to_pylist() == expected
    array.validate(full=True)


def test_nan_inside_a_vector_stays():
    for values in ([[np.nan, 1.0], [2.0, 3.0]], [[np.nan], [2.0, 3.0]]):
        array = to_arrow(column(values))
        assert array.flatten().null_count == 0
        assert np.isnan(array[0].as_py()[0])


def test_equal_vectors_lie_in_one_flat_buffer():
    array = to_arrow(column(list(np.arange(12, dtype=np.float32).reshape(3, 4))))
    assert array.values.to_numpy(zero_copy_only=True).tolist() == list(range(12))
    assert array.offsets.to_pylist() == [0, 4, 8, 12]


@pytest.mark.parametrize(
    "series",
    [
        pd.Series(["a", None], dtype="str"),
        pd.Series(["a", None], dtype=pd.ArrowDtype(pa.string())),
        pd.Series(["a", None], dtype="category"),
        pd.Series(["a", None], dtype=object),
    ],
)
def test_strings_of_every_kind(series):
    array = to_arrow(series)
    assert array.to_pylist() == ["a", None]
    assert not pa.types.is_dictionary(array.type)


@pytest.mark.parametrize(
    ("values", "position"),
    [
        ([1, 2, "three", 4], 2),
        ([object(), 1], 0),
        ([1.5, 2.5, {"a": 1}], 2),
        ([[1.0], [2.0], "x"], 2),
        ([1 + 2j], 0),
    ],
)
def test_the_first_value_that_does_not_fit_is_found(values, position):
    with pytest.raises(UnconvertibleError) as caught:
        to_arrow(column(values))
    assert caught.value.position == position


def run(function, rows=6, size=2, **options):
    def step(batch):
        batch["x"] = function(batch["n"].tolist())
        return batch

    table = pa.table({"n": list(range(rows))})
    return LocalExecutor(batch_sizes={ResourceType.CPU: size}, **options).run([step], table).table["x"]


@pytest.mark.parametrize("chunk_rows", [2, 4, 100])
@pytest.mark.parametrize(
    ("function", "kind", "expected"),
    [
        (lambda n: n if n[0] < 2 else [v + 0.5 for v in n], pa.float64(), [0, 1, 2.5, 3.5, 4.5, 5.5]),
        (lambda n: [None] * len(n) if n[0] < 2 else n, pa.int64(), [None, None, 2, 3, 4, 5]),
        (lambda n: [None] * len(n) if n[0] < 2 else ["a"] * len(n), None, [None, None, "a", "a", "a", "a"]),
        (lambda n: [[v] * (v + 1) for v in n], pa.list_(pa.int64()), [[v] * (v + 1) for v in range(6)]),
        (
            lambda n: [[1, 2]] * 2 if n[0] else [[0.5, 1.5]] * 2,
            pa.list_(pa.float64()),
            [[0.5, 1.5]] * 2 + [[1, 2]] * 4,
        ),
        (lambda n: [[]] * 2 if n[0] < 2 else [[0.5]] * 2, pa.list_(pa.float64()), [[]] * 2 + [[0.5]] * 4),
        (lambda n: [None] * len(n), pa.null(), [None] * 6),
        (
            lambda n: [{"a": v} if v < 2 else {"b": v} for v in n],
            None,
            [{"a": v, "b": None} if v < 2 else {"a": None, "b": v} for v in range(6)],
        ),
    ],
)
def test_types_that_differ_between_batches_are_brought_together(function, kind, expected, chunk_rows):
    got = run(function, chunk_rows=chunk_rows)
    assert kind is None or got.type == kind
    assert got.to_pylist() == expected


@pytest.mark.parametrize("chunk_rows", [2, 100])
@pytest.mark.parametrize(
    "function",
    [
        lambda n: n if n[0] < 2 else ["a"] * len(n),
        lambda n: [True] * len(n) if n[0] < 2 else n,
        lambda n: [[1.5]] * len(n) if n[0] < 2 else ["a"] * len(n),
        lambda n: [2**60 + 1] * len(n) if n[0] < 2 else [0.5] * len(n),
    ],
)
def test_types_that_cannot_be_brought_together_name_the_column(function, chunk_rows):
    with pytest.raises(StepError, match=r"Step step: column 'x' .*Return (one type|numbers)") as caught:
        run(function, chunk_rows=chunk_rows)
    assert caught.value.column == "x"


def test_an_unconvertible_value_names_column_row_and_document():
    def step(batch):
        batch["x"] = [object() if value == "d3" else 1 for value in batch["document_id"]]
        return batch

    table = pa.table(
        {"document_id": [f"d{row}" for row in range(5)], "mime_type": ["image/png", "text/plain"] * 2 + ["a/b"]}
    )
    with pytest.raises(
        StepError, match=r"column 'x' cannot be stored: at row 3 \(document_id 'd3'\) it holds a object"
    ) as e:
        LocalExecutor(batch_sizes={ResourceType.CPU: 2}).run([step], table)
    assert (e.value.rows, e.value.document_ids, e.value.column) == ((3,), ("d3",), "x")


def test_a_column_that_only_some_batches_return_is_null_elsewhere():
    def step(batch):
        if batch["n"].iloc[0] >= 2:
            batch["x"] = batch["n"]
        return batch

    table = pa.table({"n": list(range(6))})
    got = LocalExecutor(batch_sizes={ResourceType.CPU: 2}).run([step], table).table["x"]
    assert (got.type, got.to_pylist()) == (pa.int64(), [None, None, 2, 3, 4, 5])


# pandas 3 hands Arrow a large_string, pandas 2 an object column that becomes a string.
TEXT_FROM_PANDAS = pa.array(pd.Series(["1"]).astype("str")).type


@pytest.mark.parametrize(
    ("before", "edit", "kind"),
    [
        (pa.array([1, None], pa.int32()), lambda s: s.fillna(0), pa.int32()),
        (pa.array([1, 2], pa.int64()), lambda s: s + 0.5, pa.float64()),
        (pa.array([1.5, 2.5], pa.float32()), lambda s: s.astype("float64") + 1e-12, pa.float64()),
        (pa.array(["a", "b"]), lambda s: s + "!", pa.string()),
        (
            pa.array(["a", "b"]).dictionary_encode(),
            lambda s: s.astype("str") + "!",
            pa.dictionary(pa.int32(), pa.string()),
        ),
        (pa.array([1, 2], pa.int64()), lambda s: s.astype("str"), TEXT_FROM_PANDAS),
        (pa.array(["1", "2"]), lambda s: s.astype("int64"), pa.int64()),
        (
            pa.array([[1.0], [2.0]], pa.list_(pa.float32(), 1)),
            lambda s: s.map(lambda v: v * 2),
            pa.list_(pa.float32(), 1),
        ),
    ],
)
def test_an_edited_column_keeps_its_type_where_nothing_is_lost(before, edit, kind):
    def step(batch):
        batch["x"] = edit(batch["x"])
        return batch

    assert LocalExecutor().run([step], pa.table({"x": before})).table["x"].type == kind


def test_an_edit_that_fits_only_some_rows_of_a_column_is_an_error(build):
    def step(batch):
        batch["x"] = "word"
        return batch

    table = pa.table({"x": [1, 2], "mime_type": ["text/plain", "image/png"]})
    with pytest.raises(StepError, match=r"column 'x' has types.*int64.*rows the step does not receive") as caught:
        LocalExecutor().run(build(step, condition=RowCondition.IS_TEXT), table)
    assert caught.value.column == "x"
