"""Runs one step over the batches of a chunk, and finds the rows that make it raise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from engine.executors.contract import BatchRows, check_output
from engine.executors.errors import location, step_raised
from engine.executors.results import SetAsideRow


@dataclass(frozen=True)
class Piece:
    """What the step returned for the rows from ``start`` up to ``stop`` of the chunk's matching rows."""

    start: int
    stop: int
    frame: pd.DataFrame


@dataclass
class BatchRunner:
    """Runs ``processor`` over slices of at most ``batch_size`` rows; one runner serves a whole step.

    ``on_batch`` is told the rows of each batch when it is done. Rows that raise are looked for by halving their
    batch, each half run anew: to raise, at most 2·log2(batch_size) further calls; to set aside, at most
    2·batch_size, when every row is bad.
    """

    step: str
    processor: Callable[[Any], Any]
    batch_size: int
    set_aside_rows: bool
    on_batch: Callable[[int], None]
    batches: int = 0
    set_aside: list[SetAsideRow] = field(default_factory=list)

    def run(self, frame: pd.DataFrame, rows: BatchRows) -> list[Piece]:
        """Return what the step makes of ``frame``, in order; rows set aside are in no piece.

        Raises StepError. BaseException, such as a keyboard interrupt, goes through.
        """
        pieces: list[Piece] = []
        label = pd.RangeIndex(self.batch_size)
        for start in range(0, len(frame), self.batch_size):
            stop = min(start + self.batch_size, len(frame))
            if stop - start != len(label):
                label = pd.RangeIndex(stop - start)
            # A slice shares the chunk's memory until the processor writes: copy-on-write keeps the chunk whole.
            batch = frame.iloc[start:stop]
            batch.index = label
            try:
                output = self.processor(batch)
            except Exception as error:  # noqa: BLE001  # a plugin may raise anything; reported, never swallowed
                pieces.extend(self._recover(frame, rows, start, stop, error))
            else:
                pieces.append(self._accepted(output, batch, label, rows.slice(start, stop), start))
            self.batches += 1
            self.on_batch(stop - start)
        return pieces

    def _accepted(
        self, output: Any, batch: pd.DataFrame, label: pd.RangeIndex, rows: BatchRows, start: int
    ) -> Piece:
        stop = start + len(label)
        if output is batch and batch.index is label:  # columns were assigned in place: nothing can have moved
            return Piece(start, stop, output)
        check_output(self.step, output, label, rows)
        # The processor may hand out one frame again and again and change it later; this view then stays as it is.
        return Piece(start, stop, output.copy(deep=False))

    def _recover(
        self, frame: pd.DataFrame, rows: BatchRows, start: int, stop: int, error: Exception
    ) -> list[Piece]:
        if not self.set_aside_rows:
            start, stop, error = self._smallest_failure(frame, start, stop, error)
            failing = rows.slice(start, stop)
            raise step_raised(self.step, error, failing.row_list(), failing.document_ids()) from error
        if stop - start == 1:
            row = rows.slice(start, stop)
            number, ids = row.row_list()[0], row.document_ids()
            where = location(error).strip(" ()")
            clean = error.with_traceback(None)
            clean.__context__ = clean.__cause__ = None  # they hold tracebacks, and so whole batches, as well
            self.set_aside.append(SetAsideRow(number, ids[0] if ids else None, self.step, clean, where))
            return []
        middle = (start + stop) // 2
        return [*self._settled(frame, rows, start, middle), *self._settled(frame, rows, middle, stop)]

    def _settled(self, frame: pd.DataFrame, rows: BatchRows, start: int, stop: int) -> list[Piece]:
        batch, label = _slice(frame, start, stop)
        try:
            output = self.processor(batch)
        except Exception as error:  # noqa: BLE001  # as in run
            return self._recover(frame, rows, start, stop, error)
        return [self._accepted(output, batch, label, rows.slice(start, stop), start)]

    def _smallest_failure(
        self, frame: pd.DataFrame, start: int, stop: int, error: Exception
    ) -> tuple[int, int, Exception]:
        """Halve while a half still fails; where neither does, the rows fail only together."""
        while stop - start > 1:
            middle = (start + stop) // 2
            if (failure := self._failure(frame, start, middle)) is not None:
                stop, error = middle, failure
            elif (failure := self._failure(frame, middle, stop)) is not None:
                start, error = middle, failure
            else:
                break
        return start, stop, error

    def _failure(self, frame: pd.DataFrame, start: int, stop: int) -> Exception | None:
        batch, _ = _slice(frame, start, stop)
        try:
            self.processor(batch)
        except Exception as error:  # noqa: BLE001  # as in run
            return error
        return None


def _slice(frame: pd.DataFrame, start: int, stop: int) -> tuple[pd.DataFrame, pd.RangeIndex]:
    batch, label = frame.iloc[start:stop], pd.RangeIndex(stop - start)
    batch.index = label
    return batch, label
