"""What a processor must give back for a batch, and the errors that say how it did not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt
import pandas as pd

from engine.executors.errors import StepError
from engine.executors.rows_named import name_rows

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class BatchRows:
    """Which rows of the dataset a slice of the step's input stands for.

    ``numbers`` are n row numbers, 0-based, ascending; ``document_id`` their ids, or None where there is no such
    column.
    """

    numbers: npt.NDArray[np.int64]
    document_id: pa.ChunkedArray | None

    def slice(self, start: int, stop: int) -> BatchRows:
        """Return the rows from position ``start`` up to ``stop``."""
        ids = None if self.document_id is None else self.document_id.slice(start, stop - start)
        return BatchRows(self.numbers[start:stop], ids)

    def row_list(self) -> list[int]:
        """Return the row numbers as Python integers."""
        return [int(number) for number in self.numbers]

    def document_ids(self) -> list[str | None]:
        """Return the ids as strings; empty where there is no such column."""
        if self.document_id is None:
            return []
        return [None if value is None else str(value) for value in self.document_id.to_pylist()]

    def __str__(self) -> str:
        """Name the rows as messages do."""
        return name_rows(self.row_list(), self.document_ids() if len(self.numbers) == 1 else ())


def check_output(step: str, output: Any, label: pd.RangeIndex, rows: BatchRows) -> None:
    """Raise StepError unless ``output`` is a DataFrame with exactly the rows of its batch, in their order.

    ``label`` is the index the batch was given, 0 to n-1. An index of the processor's own making, such as ids, is
    accepted: it says nothing about order.
    """
    if not isinstance(output, pd.DataFrame):
        _refuse(
            step,
            rows,
            f"returned a {type(output).__name__}; expected a DataFrame of {len(label)} rows. End __call__ with "
            "`return batch`.",
        )
    if len(output) != len(label):
        _refuse(
            step,
            rows,
            f"returned {len(output)} rows; expected {len(label)}.{_lost(output.index, rows)} Return one row for "
            "each row received: use null for a row without a result, a list for several.",
        )
    if output.index is label or output.index.equals(label) or not _uses_our_labels(output.index, len(label)):
        return
    if output.index.has_duplicates:
        again = rows.numbers[np.unique(output.index[output.index.duplicated()].to_numpy())].tolist()
        _refuse(
            step,
            rows,
            f"returned {name_rows(again)} more than once.{_lost(output.index, rows)} Return each row once.",
        )
    _refuse(
        step,
        rows,
        f"returned its rows in another order; expected 0 to {len(label) - 1}, got an index that starts "
        f"{output.index[:5].tolist()}. End with `return batch.sort_index()`.",
    )


def check_columns(step: str, output: pd.DataFrame, rows: BatchRows) -> None:
    """Raise StepError unless every column name is a string and occurs once."""
    for name in output.columns:
        if not isinstance(name, str):
            _refuse(
                step,
                rows,
                f"returned a column named {name!r} ({type(name).__name__}); expected strings. Rename it.",
            )
    if not output.columns.is_unique:
        name = output.columns[output.columns.duplicated()][0]
        _refuse(
            step,
            rows,
            f"returned column {name!r} twice; expected each name once. Assign with batch[{name!r}] = ... instead "
            "of joining frames.",
        )


def check_same_documents(step: str, before: pa.Array, after: pa.Array, rows: BatchRows) -> None:
    """Raise StepError when ``document_id`` came back with other values: the rows were moved or replaced."""
    for position, (expected, got) in enumerate(zip(before.to_pylist(), after.to_pylist(), strict=True)):
        if expected != got and str(expected) != str(got):
            row = rows.slice(position, position + 1)
            _refuse(
                step,
                row,
                f"returned document_id {got!r}; expected {expected!r}. Keep the rows in the order received, and "
                "document_id as it is.",
                column="document_id",
            )


def _refuse(step: str, rows: BatchRows, what: str, column: str | None = None) -> NoReturn:
    raise StepError(
        f"Step {step}, given {rows}, {what}",
        step=step,
        rows=rows.row_list(),
        document_ids=rows.document_ids(),
        column=column,
    )


def _uses_our_labels(index: pd.Index[Any], count: int) -> bool:
    return bool(index.dtype.kind == "i" and len(index) > 0 and index.min() >= 0 and index.max() < count)


def _lost(index: pd.Index[Any], rows: BatchRows) -> str:
    """Name the rows that are missing, where the output's index still tells."""
    count = len(rows.numbers)
    reset = index.equals(pd.RangeIndex(len(index)))
    if reset or not _uses_our_labels(index, count):
        return ""
    missing = np.setdiff1d(np.arange(count), index.to_numpy())
    return f" Missing: {name_rows(rows.numbers[missing].tolist())}." if len(missing) else ""
