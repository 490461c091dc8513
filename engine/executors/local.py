"""Runs built steps over a table in this process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from engine.executors.assembly import Assembled, ChunkInput, ChunkOutput, assemble, convert_pieces
from engine.executors.batches import BatchRunner
from engine.executors.contract import BatchRows
from engine.executors.dataset import LocalDataset, prepared
from engine.executors.errors import StepError
from engine.executors.progress import ActorCall, LocalProgressActor
from engine.executors.results import (
    ExecutionResult,
    ProgressListener,
    SetAsideRow,
    StepProgress,
    StepReport,
)
from engine.executors.runnable import RunnableStep, runnable_steps
from engine.plugins.extractors.pipeline import ResourceType, RowCondition
from engine.rows import MIME_COLUMNS, condition_mask, mime_types

__all__ = [
    "ActorCall",
    "ExecutionResult",
    "LocalDataset",
    "LocalExecutor",
    "LocalProgressActor",
    "ProgressListener",
    "SetAsideRow",
    "StepError",
    "StepProgress",
    "StepReport",
]

# One conversion to pandas per this many rows: at 64 rows a batch, converting each batch alone costs more than a
# light processor does (benchmarks/engine_loop.py).
_CHUNK_ROWS = 65_536


@dataclass(frozen=True)
class LocalExecutor:
    """Runs the steps of a plugin one after the other, each over all rows that meet its condition.

    ``backend`` chooses the columns processors see: ``numpy`` (str and NaN, as a local read gives) or ``arrow``
    (Arrow-backed with pd.NA, as on the platform's cluster). ``on_row_error`` is ``raise``, or ``set_aside`` to go
    on without the rows that make a step raise. ``batch_sizes`` overrides the default rows per batch of a resource
    type; a step's own ``batch_size`` wins. ``chunk_rows`` is how many rows are converted at a time.
    Raises TypeError or ValueError when an option is wrong.
    """

    backend: Literal["numpy", "arrow"] = "numpy"
    on_row_error: Literal["raise", "set_aside"] = "raise"
    batch_sizes: Mapping[ResourceType, int] = field(default_factory=dict)
    chunk_rows: int = _CHUNK_ROWS

    def __post_init__(self) -> None:
        """Refuse options that would only fail, or be ignored, later."""
        if self.backend not in {"numpy", "arrow"}:
            raise ValueError(f"LocalExecutor: backend is {self.backend!r}. Use 'numpy' or 'arrow'.")
        if self.on_row_error not in {"raise", "set_aside"}:
            raise ValueError(f"LocalExecutor: on_row_error is {self.on_row_error!r}. Use 'raise' or 'set_aside'.")
        for kind, size in self.batch_sizes.items():
            if not isinstance(kind, ResourceType):
                raise TypeError(f"LocalExecutor: batch_sizes has key {kind!r}. Use a ResourceType.")
            if size < 1:
                raise ValueError(f"LocalExecutor: batch size of {kind} is {size}. Pass 1 or more.")
        if self.chunk_rows < 1:
            raise ValueError(f"LocalExecutor: chunk_rows is {self.chunk_rows}. Pass 1 or more.")

    def run(
        self,
        steps: Sequence[Any],
        table: pa.Table,
        *,
        prepare: Callable[[Any], Any] | None = None,
        progress: ProgressListener | None = None,
    ) -> ExecutionResult:
        """Run ``steps`` over ``table``: n rows in, the same n rows in the same order out.

        ``steps`` and ``prepare`` are what ``build_steps`` returns; ``prepare`` alone may change the rows. Rows
        that do not meet a step's condition pass it by unchanged, with null in its new columns; a step that no
        row meets is not constructed and adds no column. Batches have an index of 0 to k-1; the last of each
        chunk may be short. With a ``progress`` listener, processors get a `LocalProgressActor` as well.

        Raises StepError where a step fails or breaks the contract, TypeError or ValueError where the arguments
        are wrong, and what ``prepare`` or the listener raises.
        """
        if not isinstance(table, pa.Table):
            raise TypeError(f"The dataset is a {type(table).__name__}. Pass a pyarrow.Table.")
        actor = None if progress is None else LocalProgressActor()
        runnable = runnable_steps(steps, self.batch_sizes, actor)
        started = time.perf_counter()
        with _copy_on_write():
            run = _Run(self, _checked(prepared(table, prepare)), progress, len(runnable))
            for step in runnable:
                run.run_step(step)
        return ExecutionResult(
            table=run.table,
            steps=tuple(run.reports),
            set_aside=tuple(run.set_aside),
            seconds=time.perf_counter() - started,
            progress_calls=() if actor is None else actor.recorded_calls,
        )


class _Run:
    """The state of one run: the dataset so far, and which of its rows are still in the game."""

    def __init__(
        self, executor: LocalExecutor, table: pa.Table, progress: ProgressListener | None, steps: int
    ) -> None:
        self.table = table
        self.reports: list[StepReport] = []
        self.set_aside: list[SetAsideRow] = []
        self._executor = executor
        self._progress = progress
        self._steps = steps
        self._alive: npt.NDArray[np.bool_] = np.ones(table.num_rows, dtype=np.bool_)
        self._types: pa.DictionaryArray | None = None

    def run_step(self, step: RunnableStep) -> None:
        """Run one step over the whole dataset and keep its report."""
        started, memory = time.perf_counter(), _peak_resident_bytes()
        selected = self._selected(step.condition)
        matched = int(selected.sum())
        runner = self._runner(step, matched) if matched else None
        chunks = [] if runner is None else list(self._chunks(step, runner, selected))
        result = assemble(step.name, self.table, chunks) if chunks else Assembled(self.table, (), (), ())
        self.table = result.table
        if MIME_COLUMNS & {*result.new, *result.changed, *result.dropped}:
            self._types = None
        aside = [] if runner is None else runner.set_aside
        self._alive[[row.row for row in aside]] = False
        self.set_aside.extend(aside)
        seconds = time.perf_counter() - started
        report = StepReport(
            name=step.name,
            resource_type=step.resource_type,
            condition=step.condition,
            batch_size=step.batch_size,
            rows=self.table.num_rows,
            rows_matched=matched,
            batches=0 if runner is None else runner.batches,
            seconds=seconds,
            rows_per_second=matched / seconds if seconds > 0 else 0.0,
            peak_memory_bytes=_growth(memory, _peak_resident_bytes()),
            new_columns=result.new,
            changed_columns=result.changed,
            dropped_columns=result.dropped,
            rows_set_aside=len(aside),
        )
        self.reports.append(report)

    def _selected(self, condition: RowCondition) -> npt.NDArray[np.bool_]:
        if condition is RowCondition.ALWAYS:
            everything: npt.NDArray[np.bool_] = self._alive.copy()
            return everything
        if self._types is None:
            self._types = mime_types(self.table)
        return np.asarray(condition_mask(self._types, condition) & self._alive, dtype=np.bool_)

    def _runner(self, step: RunnableStep, matched: int) -> BatchRunner:
        return BatchRunner(
            step=step.name,
            processor=step.construct(),
            batch_size=step.batch_size,
            set_aside_rows=self._executor.on_row_error == "set_aside",
            on_batch=self._reporter(step, matched),
        )

    def _reporter(self, step: RunnableStep, matched: int) -> Callable[[int], None]:
        progress = self._progress
        if progress is None:
            return _silent
        event = StepProgress(step.name, len(self.reports) + 1, self._steps, 0, matched)

        def report(rows: int) -> None:
            nonlocal event
            event = replace(event, rows_done=event.rows_done + rows)
            progress(event)

        return report

    def _chunks(
        self, step: RunnableStep, runner: BatchRunner, selected: npt.NDArray[np.bool_]
    ) -> Iterator[ChunkOutput]:
        """Run the step chunk by chunk; a chunk is a whole number of batches where every row matches."""
        size = max(step.batch_size, self._executor.chunk_rows // step.batch_size * step.batch_size)
        for start in range(0, self.table.num_rows, size):
            chunk = self.table.slice(start, size)
            positions = np.flatnonzero(selected[start : start + size])
            if not len(positions):
                yield ChunkOutput(start, chunk.num_rows, ())
                continue
            received = self._received(chunk, positions, start)
            pieces = runner.run(received.frame, received.rows)
            segments = convert_pieces(step.name, pieces, received)
            yield ChunkOutput(start, chunk.num_rows, segments)

    def _received(self, chunk: pa.Table, positions: npt.NDArray[np.int64], start: int) -> ChunkInput:
        """Convert the matching rows of a chunk once, for all its batches."""
        arrow = chunk if len(positions) == chunk.num_rows else chunk.take(pa.array(positions))
        mapper = pd.ArrowDtype if self._executor.backend == "arrow" else None
        frame = arrow.to_pandas(types_mapper=mapper, ignore_metadata=True)
        ids = arrow["document_id"] if "document_id" in arrow.column_names else None
        return ChunkInput(frame, arrow, BatchRows(positions + start, ids), positions)


def _silent(_rows: int) -> None:
    """Report to nobody."""


def _checked(table: pa.Table) -> pa.Table:
    names = table.column_names
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"The dataset has column {twice!r} twice. Rename or drop one of them.")
    # Arrow cannot take rows from string views yet.
    for place, column in enumerate(table.schema):
        if pa.types.is_string_view(column.type) or pa.types.is_binary_view(column.type):
            plain = pa.large_string() if pa.types.is_string_view(column.type) else pa.large_binary()
            table = table.set_column(place, column.name, table[column.name].cast(plain))
    return table


def _copy_on_write() -> AbstractContextManager[Any]:
    """Switch copy-on-write on where pandas does not have it for good, from version 3 on."""
    if int(pd.__version__.partition(".")[0]) >= 3:
        return nullcontext()
    return pd.option_context("mode.copy_on_write", True)


def _peak_resident_bytes() -> int | None:
    """Return the process's highest resident size so far; None on a system without ``rusage``."""
    try:
        import resource  # not there on Windows
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024  # Linux counts KiB


def _growth(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else max(0, after - before)
