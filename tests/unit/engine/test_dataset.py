"""The local dataset that ``prepare`` is given."""

import pandas as pd
import pyarrow as pa
import pytest

from engine.executors.dataset import LocalDataset, prepared


@pytest.fixture
def dataset():
    return LocalDataset(pa.table({"n": [1, 2, 3, 4, 5], "word": ["a", "b", None, "d", "e"]}))


def test_it_tells_its_shape(dataset):
    assert (dataset.count(), len(dataset), dataset.columns(), dataset.schema().names) == (
        5,
        5,
        ["n", "word"],
        ["n", "word"],
    )


def test_filter_gets_rows_as_dicts(dataset):
    assert dataset.filter(lambda row: row["word"] is not None and row["n"] > 1).to_arrow()["n"].to_pylist() == [
        2,
        4,
        5,
    ]
    assert dataset.filter(lambda _row: False).columns() == ["n", "word"]


def test_limit_and_take(dataset):
    assert dataset.limit(2).take() == [{"n": 1, "word": "a"}, {"n": 2, "word": "b"}]
    assert dataset.limit(9).count() == 5
    with pytest.raises(ValueError, match=r"-1 rows"):
        dataset.limit(-1)


@pytest.mark.parametrize("batch_format", ["pandas", "pyarrow", "numpy"])
def test_map_batches_in_each_format(dataset, batch_format):
    sizes = []

    def double(batch):
        sizes.append(len(batch["n"]))
        if batch_format == "pandas":
            return batch.assign(n=batch["n"] * 2)
        if batch_format == "pyarrow":
            return batch.select(["n"])
        return {"n": batch["n"] * 2}

    mapped = dataset.map_batches(double, batch_size=2, batch_format=batch_format, num_gpus=0)
    assert sizes == [2, 2, 1]
    expected = [1, 2, 3, 4, 5] if batch_format == "pyarrow" else [2, 4, 6, 8, 10]
    assert mapped.to_arrow()["n"].to_pylist() == expected


def test_map_batches_takes_all_rows_and_constructs_a_class_once(dataset):
    class Keep:
        made = 0

        def __init__(self):
            Keep.made += 1

        def __call__(self, batch):
            return batch[batch["n"] > 3]

    assert dataset.map_batches(Keep, batch_size=2).to_arrow()["n"].to_pylist() == [4, 5]
    assert Keep.made == 1
    assert dataset.limit(0).map_batches(lambda batch: batch).count() == 0


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda ds: ds.map_batches(lambda b: b, batch_size=0), ValueError, "batch_size is 0"),
        (lambda ds: ds.map_batches(lambda b: b, batch_format="torch"), ValueError, "Use 'pandas'"),
        (lambda ds: ds.map_batches(lambda _batch: 5), TypeError, "map_batches returned a int"),
        (lambda ds: ds.groupby("n"), AttributeError, "no 'groupby'; it offers count, columns"),
    ],
)
def test_mistakes_are_explained(dataset, call, error, message):
    with pytest.raises(error, match=message):
        call(dataset)


@pytest.mark.parametrize(
    "prepare",
    [None, lambda ds: ds, lambda ds: ds.to_pandas(), lambda ds: ds.to_arrow(), lambda ds: ds.materialize()],
)
def test_prepare_may_return_a_dataset_a_frame_or_a_table(dataset, prepare):
    result = prepared(dataset.to_arrow(), prepare)
    assert result.to_pylist() == dataset.to_arrow().to_pylist()


@pytest.mark.parametrize("value", [None, [1], pd.Series([1]), {"n": [1]}])
def test_prepare_that_returns_something_else_is_an_error(dataset, value):
    with pytest.raises(TypeError, match=r"prepare returned a .*lambda ds: ds"):
        prepared(dataset.to_arrow(), lambda _ds: value)


def test_prepare_must_be_callable(dataset):
    with pytest.raises(TypeError, match=r"prepare is a str"):
        prepared(dataset.to_arrow(), "identity")
