"""What a run reports: one record per step, the rows set aside, and events while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from engine.executors.progress import ActorCall
from engine.plugins.extractors.pipeline import ResourceType, RowCondition

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class StepReport:
    """What one step did.

    ``rows`` counts the dataset, ``rows_matched`` those the step received, ``batches`` the slices they were cut
    into (runs repeated to find a bad row are not counted), ``seconds`` is wall time including the conversions
    and the processor's construction, ``rows_per_second`` is ``rows_matched / seconds``.

    ``peak_memory_bytes`` is how much the process's peak resident size (``ru_maxrss``) grew during the step. It
    is a lower bound: memory that fits under an earlier peak shows as 0. None where the system has no ``rusage``.
    """

    name: str
    resource_type: ResourceType
    condition: RowCondition
    batch_size: int
    rows: int
    rows_matched: int
    batches: int
    seconds: float
    rows_per_second: float
    peak_memory_bytes: int | None
    new_columns: tuple[str, ...]
    changed_columns: tuple[str, ...] = ()
    dropped_columns: tuple[str, ...] = ()
    rows_set_aside: int = 0


@dataclass(frozen=True)
class SetAsideRow:
    """A row that made a step raise: it keeps its inputs, has null outputs, and later steps do not receive it.

    ``row`` is 0-based in the dataset as the steps receive it (after ``prepare``). ``error`` carries no traceback
    (frames would keep whole batches alive); ``location`` says where the plugin raised it, "" where unknown.
    """

    row: int
    document_id: str | None
    step: str
    error: Exception
    location: str = ""


@dataclass(frozen=True)
class StepProgress:
    """Sent to the listener after each batch: ``rows_done`` of the ``rows_total`` rows that the step receives.

    ``place`` is the step's place, first is 1, of ``steps``.
    """

    step: str
    place: int
    steps: int
    rows_done: int
    rows_total: int


@dataclass(frozen=True)
class ExecutionResult:
    """The dataset after all steps, and how it got there.

    ``table`` has as many rows, in the same order, as the dataset after ``prepare``. ``progress_calls`` are the
    calls that processors made on their progress actor, the last thousand, in order; empty without a listener.
    """

    table: pa.Table
    steps: tuple[StepReport, ...]
    set_aside: tuple[SetAsideRow, ...]
    seconds: float
    progress_calls: tuple[ActorCall, ...] = ()


ProgressListener: TypeAlias = Callable[[StepProgress], None]
"""Receives a `StepProgress` after each batch; what it raises ends the run."""
