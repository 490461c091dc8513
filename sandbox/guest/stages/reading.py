"""Reads a sample file into an Arrow table, and says exactly where it cannot be read."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from typing import TYPE_CHECKING, Any

from sandbox.guest.stages import StageContext

if TYPE_CHECKING:
    import pyarrow as pa


class SampleRefused(Exception):
    """The sample file cannot be used; carries the problem's code, message and line."""

    def __init__(self, code: str, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.line = line


def read_table(context: StageContext) -> pa.Table:
    """The sample rows. Raises ``SampleRefused``."""
    data, kind = _bytes(context)
    table = _read_parquet(data) if kind == "parquet" else _to_table(_READERS[kind](_decode(data)))
    if table.num_rows == 0:
        raise SampleRefused("samples.empty", "the sample file has no rows")
    return table


def first_row(context: StageContext) -> dict[str, Any] | None:
    """The first sample row as a dictionary without nulls, with ``text`` and ``data`` completed as for a batch."""
    if context.sample is None:
        return None
    from engine.rows import complete_columns

    row: dict[str, Any] = complete_columns(read_table(context).slice(0, 1)).to_pylist()[0]
    return {key: value for key, value in row.items() if value is not None}


def _bytes(context: StageContext) -> tuple[bytes, str]:
    assert context.sample is not None
    with os.fdopen(os.dup(context.sample_fd), "rb") as stream:
        stream.seek(0)
        data = stream.read()
    if not data.strip():
        raise SampleRefused("samples.empty", "the sample file is empty")
    return data, context.sample["format"]


def _decode(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        line = data[: reason.start].count(b"\n") + 1
        raise SampleRefused(
            "samples.encoding", f"byte {reason.start} (0x{data[reason.start]:02x}) is not UTF-8", line
        ) from None


def _read_json(text: str) -> list[dict[str, Any]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as reason:
        raise SampleRefused("samples.malformed", f"not JSON: {reason}", getattr(reason, "lineno", None)) from None
    rows = [value] if isinstance(value, dict) else value
    if not isinstance(rows, list):
        raise SampleRefused("samples.malformed", f"the top is a {type(rows).__name__}, not a list of objects")
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise SampleRefused("samples.malformed", f"item {number} is a {type(row).__name__}, not an object")
    return rows


def _read_ndjson(text: str) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as reason:
            raise SampleRefused("samples.malformed", f"the line is not JSON: {reason}", number) from None
        if not isinstance(row, dict):
            raise SampleRefused("samples.malformed", f"the line is a {type(row).__name__}, not an object", number)
        rows.append(row)
    return rows


def _read_csv(text: str) -> list[dict[str, Any]]:
    """Rows with numbers where a whole column holds numbers; an empty field is null."""
    reader = csv.reader(io.StringIO(text), strict=True)
    try:
        header = next(reader, [])
        if len(set(header)) != len(header):
            raise SampleRefused("samples.malformed", "a column name occurs twice in the header", 1)
        lines = []
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(header):
                raise SampleRefused(
                    "samples.columns",
                    f"the row has {len(fields)} columns where the header has {len(header)}",
                    reader.line_num,
                )
            lines.append(fields)
    except csv.Error as reason:
        raise SampleRefused("samples.malformed", f"not CSV: {reason}", reader.line_num) from None
    columns = [_typed([line[position] for line in lines]) for position in range(len(header))]
    return [dict(zip(header, values, strict=True)) for values in zip(*columns, strict=True)]


# A leading zero is an id's, an underscore or "nan" a text's: only what reads as a number alone is one.
_WHOLE = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]{1,2})?")


def _typed(values: list[str]) -> list[Any]:
    for pattern, convert in ((_WHOLE, int), (_DECIMAL, float)):
        if all(pattern.fullmatch(value) for value in values if value):
            return [convert(value) if value else None for value in values]
    return [value or None for value in values]


def _read_parquet(data: bytes) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as reason:
        raise SampleRefused("samples.malformed", f"not Parquet: {reason}") from None


def _to_table(rows: list[dict[str, Any]]) -> pa.Table:
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        try:
            columns[name] = pa.array([row.get(name) for row in rows])
        except (pa.ArrowException, OverflowError) as reason:
            raise SampleRefused("samples.types", f"column {name!r} mixes types: {reason}") from None
    return pa.table(columns)


_READERS = {"json": _read_json, "ndjson": _read_ndjson, "csv": _read_csv}
