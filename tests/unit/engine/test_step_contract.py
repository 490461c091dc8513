"""What a step may not give back, and rows that make it raise."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from engine.executors.local import LocalExecutor, StepError
from engine.plugins.extractors.pipeline import ResourceType, RowCondition


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            lambda _b: None,
            "Step bad, given rows 0 to 9, returned a NoneType; expected a DataFrame of 10 rows.*return batch",
        ),
        (lambda b: b.to_dict(), "returned a dict"),
        (lambda b: b["data"], "returned a Series"),
        (lambda b: b.iloc[[0, 1, 2, 4, 5, 6, 7, 8, 9]], "returned 9 rows; expected 10. Missing: row 3"),
        (lambda b: b.iloc[:7].reset_index(drop=True), "returned 7 rows; expected 10. Return one row"),
        (lambda b: b.iloc[:0], "returned 0 rows; expected 10"),
        (lambda b: pd.concat([b, b]), "returned 20 rows; expected 10"),
        (lambda b: b.iloc[[0, 0, 2, 3, 4, 5, 6, 7, 8, 9]], "row 0 more than once. Missing: row 1."),
        (lambda b: b.iloc[::-1], "in another order.*sort_index"),
        (lambda b: b.iloc[::-1].reset_index(drop=True), "row 0 .*returned document_id 'd9'; expected 'd0'"),
        (lambda b: b.rename(columns={"data": 3}), "a column named 3 .*expected strings"),
        (lambda b: pd.concat([b, b[["data"]]], axis=1), "returned column 'data' twice"),
    ],
)
@pytest.mark.parametrize("on_row_error", ["raise", "set_aside"])
def test_a_broken_contract_names_step_rows_expected_and_got(output, message, on_row_error, table, build):
    def bad(batch):
        return output(batch)

    with pytest.raises(StepError, match=message) as caught:
        LocalExecutor(on_row_error=on_row_error).run(build(bad), table)
    assert caught.value.step == "bad"
    assert caught.value.rows


def test_an_index_that_was_reordered_in_place_is_caught_as_well(table):
    def reorder(batch):
        batch.index = batch.index[::-1]
        return batch

    with pytest.raises(StepError, match=r"another order"):
        LocalExecutor().run([reorder], table)


def test_rows_are_named_as_in_the_dataset_not_as_in_the_batch(table, build):
    def shorten(batch):
        return batch.iloc[:-1] if len(batch) == 1 else batch

    with pytest.raises(
        StepError, match=r"given row 8 \(document_id 'd8'\), returned 0 rows; expected 1"
    ) as caught:
        LocalExecutor().run(build(shorten, condition=RowCondition.IS_TEXT, batch_size=2), table)
    assert (caught.value.rows, caught.value.document_ids) == ((8,), ("d8",))


def test_an_index_of_the_processors_own_is_accepted(table):
    def relabel(batch):
        batch["n"] = np.arange(len(batch))
        batch.index = batch["document_id"].to_numpy()
        return batch

    assert LocalExecutor().run([relabel], table).table["n"].to_pylist() == list(range(10))


def failing_on(*ids, calls=None):
    def fragile(batch):
        if calls is not None:
            calls.append(len(batch))
        for value in batch["document_id"]:
            if value in ids:
                raise ValueError(f"cannot read {value}")
        batch["n"] = batch["document_id"].str.slice(1).astype("int64")
        return batch

    return fragile


def many(rows):
    return pa.table({"document_id": [f"d{row}" for row in range(rows)]})


@pytest.mark.parametrize("row", [0, 1, 31, 32, 63, 64, 99])
def test_the_failing_row_is_found_with_little_work(row):
    calls = []
    with pytest.raises(
        StepError, match=rf"ValueError: cannot read d{row} .*row {row} \(document_id 'd{row}'\)"
    ) as caught:
        LocalExecutor().run([failing_on(f"d{row}", calls=calls)], many(100))
    assert (caught.value.rows, caught.value.document_ids) == ((row,), (f"d{row}",))
    assert isinstance(caught.value.__cause__, ValueError)
    assert len(calls) <= 2 + 2 * 6


def test_the_message_says_where_in_the_plugin():
    with pytest.raises(StepError, match=r"\(engine/test_step_contract.py:\d+\)"):
        LocalExecutor().run([failing_on("d1")], many(2))


def test_rows_that_fail_only_together_are_named_together():
    def greedy(batch):
        if len(batch) > 4:
            raise MemoryError
        return batch

    with pytest.raises(StepError, match=r"MemoryError.*rows 0 to 7.*only|rows 0 to 7.*Neither half") as caught:
        LocalExecutor(batch_sizes={ResourceType.CPU: 8}).run([greedy], many(16))
    assert caught.value.rows == tuple(range(8))


@pytest.mark.parametrize("size", [1, 7, 64])
@pytest.mark.parametrize("backend", ["numpy", "arrow"])
def test_bad_rows_are_set_aside_and_all_others_have_their_output(size, backend):
    bad = {0, 5, 6, 63, 64, 99}
    executor = LocalExecutor(backend=backend, on_row_error="set_aside", batch_sizes={ResourceType.CPU: size})
    result = executor.run([failing_on(*(f"d{row}" for row in bad))], many(100))
    assert [row.row for row in result.set_aside] == sorted(bad)
    assert [str(row.error) for row in result.set_aside] == [f"cannot read d{row}" for row in sorted(bad)]
    assert all(row.document_id == f"d{row.row}" and row.error.__traceback__ is None for row in result.set_aside)
    assert all(row.location.startswith("engine/test_step_contract.py:") for row in result.set_aside)
    assert result.table["n"].to_pylist() == [None if row in bad else row for row in range(100)]
    assert result.table["document_id"].equals(many(100)["document_id"])
    assert result.steps[0].rows_set_aside == len(bad)


def test_later_steps_do_not_receive_rows_that_were_set_aside():
    seen = []

    def second(batch):
        seen.extend(batch["document_id"])
        batch["m"] = 1
        return batch

    result = LocalExecutor(on_row_error="set_aside").run([failing_on("d1"), second], many(3))
    assert seen == ["d0", "d2"]
    assert result.table["m"].to_pylist() == [1, None, 1]
    assert result.steps[1].rows_matched == 2


def test_a_step_that_fails_for_every_row_sets_all_aside():
    calls = []
    executor = LocalExecutor(on_row_error="set_aside")
    result = executor.run([failing_on(*(f"d{row}" for row in range(10)), calls=calls)], many(10))
    assert len(result.set_aside) == 10
    assert result.table.equals(many(10))
    assert len(calls) <= 20


def test_a_failed_attempt_leaves_no_trace_in_the_rows():
    def writes_then_fails(batch):
        batch["document_id"] = "broken" if len(batch) > 1 else batch["document_id"]
        if len(batch) > 1:
            raise ValueError
        return batch

    result = LocalExecutor(on_row_error="set_aside").run([writes_then_fails], many(4))
    assert result.table.equals(many(4))
    assert result.set_aside == ()


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("on_row_error", ["raise", "set_aside"])
def test_interrupts_are_not_swallowed(error, on_row_error):
    def interrupt(batch):
        raise error

    with pytest.raises(error):
        LocalExecutor(on_row_error=on_row_error).run([interrupt], many(4))


def test_rows_without_document_id_are_named_by_number():
    def fail(batch):
        raise ValueError

    with pytest.raises(StepError, match=r"raised ValueError .*on row 0\.") as caught:
        LocalExecutor().run([fail], pa.table({"n": [1, 2]}))
    assert caught.value.document_ids == ()
