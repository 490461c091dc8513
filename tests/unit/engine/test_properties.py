"""Whatever the rows, the mask, the batch size and the backend: order, count and values hold."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from engine.executors.local import LocalExecutor
from engine.plugins.extractors.pipeline import (
    PipelineDefinition,
    RowCondition,
    StepDefinition,
    build_pipeline_steps,
)

MIMES = st.sampled_from(["text/plain", "image/png", "video/mp4", "application/pdf", None])
ROWS = st.lists(
    st.tuples(
        MIMES, st.one_of(st.none(), st.text(max_size=6)), st.one_of(st.none(), st.integers(-(2**40), 2**40))
    ),
    max_size=80,
)
SIZES = st.sampled_from([1, 2, 7, 64, 1000])


class Features:
    """Adds a count, a vector and an edited text: one value per row, whatever its neighbours are."""

    def __call__(self, batch):
        words = batch["words"].fillna("").tolist()
        batch["length"] = [len(word) for word in words]
        batch["vector"] = [[float(len(word)), 0.5] if word else None for word in words]
        batch["words"] = batch["words"] + "!"
        return batch


class Fragile(Features):
    def __call__(self, batch):
        if batch["words"].fillna("").str.len().eq(3).any():
            raise ValueError("three letters")
        return super().__call__(batch)


def make_table(rows):
    return pa.table(
        {
            "place": pa.array(range(len(rows)), pa.int64()),
            "mime_type": pa.array([row[0] for row in rows], pa.string()),
            "words": pa.array([row[1] for row in rows], pa.string()),
            "number": pa.array([row[2] for row in rows], pa.int64()),
        }
    )


def run(table, service, condition, size, **options):
    step = StepDefinition(service, condition=condition, batch_size=size)
    steps = build_pipeline_steps(PipelineDefinition("p", "1.0.0", [step]))
    return LocalExecutor(**options).run(steps, table)


@given(
    ROWS,
    st.sampled_from(list(RowCondition)),
    SIZES,
    st.sampled_from([1, 5, 64]),
    st.sampled_from(["numpy", "arrow"]),
)
def test_rows_and_their_order_are_kept(rows, condition, size, chunk_rows, backend):
    table = make_table(rows)
    result = run(table, Features, condition, size, chunk_rows=chunk_rows, backend=backend).table
    assert result.num_rows == len(rows)
    for column in ("place", "mime_type", "number"):
        assert result[column].combine_chunks().equals(table[column].combine_chunks())
    result.validate(full=True)


@given(ROWS, st.sampled_from(list(RowCondition)), st.sampled_from(["numpy", "arrow"]))
def test_batch_sizes_and_backends_agree(rows, condition, backend):
    table = make_table(rows)
    expected = run(table, Features, condition, 64).table.to_pylist()
    for size in (1, 7, 64):
        assert run(table, Features, condition, size, backend=backend).table.to_pylist() == expected


@given(ROWS, st.sampled_from(list(RowCondition)), SIZES)
def test_each_row_gets_its_own_output_or_none(rows, condition, size):
    result = run(make_table(rows), Features, condition, size)
    selected = {place for place, row in enumerate(rows) if _meets(row[0], row[1], condition)}
    assert result.steps[0].rows_matched == len(selected)
    for place, (row, got) in enumerate(zip(rows, result.table.to_pylist(), strict=True)):
        if place in selected:
            assert got["length"] == len(row[1] or "")
            assert got["words"] == (None if row[1] is None else row[1] + "!")
        else:
            assert (got.get("length"), got.get("vector"), got["words"]) == (None, None, row[1])


@given(ROWS, SIZES, st.sampled_from(["numpy", "arrow"]))
def test_every_row_is_either_done_or_set_aside(rows, size, backend):
    result = run(make_table(rows), Fragile, RowCondition.ALWAYS, size, backend=backend, on_row_error="set_aside")
    bad = [place for place, row in enumerate(rows) if len(row[1] or "") == 3]
    assert [row.row for row in result.set_aside] == bad
    done = [] if "length" not in result.table.column_names else result.table["length"].to_pylist()
    expected = [None if place in set(bad) else len(row[1] or "") for place, row in enumerate(rows)]
    assert done == ([] if len(bad) == len(rows) else expected)


def _meets(mime, words, condition):
    if condition is RowCondition.ALWAYS:
        return True
    return {
        "text/plain": condition is RowCondition.IS_TEXT,
        "image/png": condition in {RowCondition.IS_IMAGE, RowCondition.IS_VISUAL},
        "video/mp4": condition in {RowCondition.IS_VIDEO, RowCondition.IS_VISUAL, RowCondition.IS_VIDEO_OR_AUDIO},
        "application/pdf": condition is RowCondition.IS_PDF,
        None: False,
    }[mime]
