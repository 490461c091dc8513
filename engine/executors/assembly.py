"""Puts a step's outputs back into the dataset: same rows, same order, columns the step left alone untouched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from engine.executors.batches import Piece
from engine.executors.columns import UnconvertibleError, narrowed, to_arrow, unchanged, unified_type
from engine.executors.contract import BatchRows, check_columns, check_same_documents
from engine.executors.errors import StepError


@dataclass(frozen=True)
class Segment:
    """Converted outputs for some rows of a chunk.

    ``positions`` are k places in the chunk, ascending; each column has k values, or None where the step left it
    as it was. A column of the input that is not there was dropped.
    """

    positions: npt.NDArray[np.int64]
    columns: dict[str, pa.Array | None]


@dataclass(frozen=True)
class ChunkOutput:
    """The segments of ``length`` rows of the dataset from ``start`` on; rows in no segment pass by."""

    start: int
    length: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True)
class Assembled:
    """The dataset after a step, and the columns it added, changed and dropped."""

    table: pa.Table
    new: tuple[str, ...]
    changed: tuple[str, ...]
    dropped: tuple[str, ...]


@dataclass(frozen=True)
class ChunkInput:
    """The m rows of a chunk that the step received: as a frame, as Arrow, and where they come from."""

    frame: pd.DataFrame
    arrow: pa.Table
    rows: BatchRows
    positions: npt.NDArray[np.int64]


def convert_pieces(step: str, pieces: Sequence[Piece], received: ChunkInput) -> tuple[Segment, ...]:
    """Join the pieces that have the same columns and dtypes, and convert each column once.

    Raises StepError for column names, values without an Arrow form, and a ``document_id`` that moved.
    """
    segments: list[Segment] = []
    for _, group in groupby(pieces, key=_ShapeKey()):
        run = list(group)
        check_columns(step, run[0].frame, received.rows.slice(run[0].start, run[0].stop))
        joined = run[0].frame if len(run) == 1 else pd.concat([piece.frame for piece in run], ignore_index=True)
        segments.append(_segment(step, joined, run, received))
    return tuple(segments)


class _ShapeKey:
    """Number the runs of pieces with the same columns and dtypes.

    pandas would join different dtypes to a third one without a word: whole numbers become rounded floats, true
    becomes 1. Apart, Arrow brings them together or refuses.
    """

    def __init__(self) -> None:
        self._number = 0
        self._columns: pd.Index[str] | None = None
        self._dtypes: list[Any] = []

    def __call__(self, piece: Piece) -> int:
        columns, dtypes = piece.frame.columns, piece.frame.dtypes.tolist()
        if self._columns is None or dtypes != self._dtypes or not columns.equals(self._columns):
            self._number += 1
            self._columns, self._dtypes = columns, dtypes
        return self._number


def _segment(step: str, joined: pd.DataFrame, run: list[Piece], received: ChunkInput) -> Segment:
    places = np.concatenate([np.arange(piece.start, piece.stop) for piece in run])
    everything = len(places) == len(received.frame)
    before = received.frame if everything else received.frame.iloc[places]
    columns: dict[str, pa.Array | None] = {}
    for name in joined.columns:
        if name in before.columns:
            kind = received.arrow.schema.field(name).type
            if unchanged(before[name], joined[name], kind):
                columns[name] = None
                continue
        columns[name] = _column(step, joined[name], places, received)
    moved = columns.get("document_id")
    if moved is not None and "document_id" in before.columns:
        rows = BatchRows(received.rows.numbers[places], received.arrow["document_id"].take(pa.array(places)))
        check_same_documents(step, received.arrow["document_id"].take(pa.array(places)), moved, rows)
    return Segment(received.positions[places], columns)


def _column(step: str, series: pd.Series[Any], places: npt.NDArray[np.int64], received: ChunkInput) -> pa.Array:
    try:
        return to_arrow(series)
    except UnconvertibleError as error:
        place = int(places[error.position])
        row = received.rows.slice(place, place + 1)
        kind = type(series.iloc[error.position]).__name__
        raise StepError(
            f"Step {step}: column {series.name!r} cannot be stored: at {row} it holds a {kind}. {error}. "
            "Return numbers, strings, lists of numbers or dicts, of one kind in a column (tensors: .tolist()).",
            step=step,
            rows=row.row_list(),
            document_ids=row.document_ids(),
            column=str(series.name),
        ) from error


def assemble(step: str, table: pa.Table, chunks: Sequence[ChunkOutput]) -> Assembled:
    """Return ``table`` with the outputs in ``chunks``, which cover it in order.

    New columns are null in rows without output. A column is gone only where every row lost it; where some did,
    those are null. Raises StepError where the types of a column's parts cannot be brought together.
    """
    existing = list(table.column_names)
    produced = dict.fromkeys(name for c in chunks for s in c.segments for name in s.columns)
    received = sum(len(segment.positions) for chunk in chunks for segment in chunk.segments)
    fields: dict[str, pa.ChunkedArray] = {}
    changed, dropped = [], []
    for name in existing:
        arrays = _arrays(name, chunks)
        lost = sum(len(s.positions) for c in chunks for s in c.segments if name not in s.columns)
        if lost and lost == table.num_rows:
            dropped.append(name)
            continue
        fields[name] = table[name]
        if arrays or lost:
            changed.append(name)
            replaced = sum(len(array) for array in arrays) + lost == table.num_rows
            kind = _settled_type(step, name, arrays, table[name].type, replaced=replaced)
            fields[name] = _column_of(step, name, chunks, kind, table[name])
    new = tuple(name for name in produced if name not in set(existing)) if received else ()
    for name in new:
        arrays = _arrays(name, chunks)
        kind = _settled_type(step, name, arrays, None, replaced=True)
        fields[name] = _column_of(step, name, chunks, kind, None)
    return Assembled(_table(table, fields), new, tuple(changed), tuple(dropped))


def _arrays(name: str, chunks: Sequence[ChunkOutput]) -> list[pa.Array]:
    found = (segment.columns.get(name) for chunk in chunks for segment in chunk.segments)
    return [array for array in found if array is not None]


def _table(before: pa.Table, fields: dict[str, pa.ChunkedArray]) -> pa.Table:
    if not fields:  # a table without columns cannot say how many rows it has
        return before.select([])
    return pa.table(fields)


def _settled_type(
    step: str, name: str, arrays: list[pa.Array], original: pa.DataType | None, *, replaced: bool
) -> pa.DataType:
    if original is not None and narrowed(arrays, original) is not None:
        return original
    kept = [] if original is None or replaced else [original]
    try:
        return unified_type([*kept, *(array.type for array in arrays)])
    except pa.ArrowException as error:
        kinds = ", ".join(dict.fromkeys(str(kind) for kind in [*kept, *(array.type for array in arrays)]))
        raise StepError(
            f"Step {step}: column {name!r} has types that cannot be brought together ({kinds})"
            f"{', the first in rows the step does not receive' if kept else ''}. Return one type in every batch.",
            step=step,
            column=name,
        ) from error


def _column_of(
    step: str, name: str, chunks: Sequence[ChunkOutput], kind: pa.DataType, original: pa.ChunkedArray | None
) -> pa.ChunkedArray:
    try:
        return pa.chunked_array([_chunk_column(name, chunk, kind, original) for chunk in chunks], type=kind)
    except pa.ArrowException as error:
        reason = " ".join(str(error).split())
        raise StepError(
            f"Step {step}: column {name!r} cannot be brought to {kind}: {reason}. Return one type in every batch.",
            step=step,
            column=name,
        ) from error


def _chunk_column(name: str, chunk: ChunkOutput, kind: pa.DataType, original: pa.ChunkedArray | None) -> pa.Array:
    """Take each row from its segment, else from the original; null where there is neither."""
    outputs = _arrays(name, [chunk])
    if len(outputs) == 1 and len(outputs[0]) == chunk.length:
        return outputs[0].cast(kind)
    pool = [] if original is None else [*original.slice(chunk.start, chunk.length).cast(kind).chunks]
    index = np.full(chunk.length, -1, dtype=np.int64) if original is None else np.arange(chunk.length)
    at = 0 if original is None else chunk.length
    for segment in chunk.segments:
        array = segment.columns.get(name)
        if array is not None:
            index[segment.positions] = np.arange(at, at + len(array))
            pool.append(array.cast(kind))
            at += len(array)
        elif name not in segment.columns:
            index[segment.positions] = -1
    if not pool:
        return pa.nulls(chunk.length, type=kind)
    return pa.concat_arrays(pool).take(pa.array(index, mask=index < 0))
