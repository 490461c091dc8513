"""The sample run: the guest's figures, and what the host recomputes from the data that came back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolchain.check.vectors import VectorColumn, check_vectors, embedding_features
from toolchain.core.findings import Finding, error

if TYPE_CHECKING:
    import pyarrow as pa

MATCHED = "__matched__"


@dataclass(frozen=True)
class SampleOutput:
    """What the host found in the returned data itself."""

    rows: int = 0
    columns: tuple[str, ...] = ()
    vectors: tuple[VectorColumn, ...] = ()
    findings: tuple[Finding, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """The recomputed facts."""
        return {
            "rows": self.rows,
            "columns": list(self.columns),
            "vectors": [vector.to_json() for vector in self.vectors],
        }


def check_samples(result: dict[str, Any], blob: bytes, features: Any, *, has_prepare: bool) -> SampleOutput:
    """Recompute from the Arrow stream in ``blob`` what can be recomputed: row count, columns, embeddings.

    ``features`` are the manifest's; ``has_prepare`` allows the row count to change.
    """
    import pyarrow.compute as pc

    table, problem = _read(blob)
    if table is None:
        return SampleOutput(findings=(problem,) if problem else ())
    findings = list(_row_count(result, table, has_prepare=has_prepare))
    matched = _matched(table)
    if matched is not None and table.num_rows and not pc.any(matched).as_py():
        remedy = "give the sample rows the MIME types that the steps ask for, or correct the steps' conditions"
        findings.append(error("samples.no-match", "no sample row met the condition of any step", remedy))
    columns = tuple(name for name in table.column_names if name != MATCHED)
    vectors = []
    for feature in embedding_features(features):
        column, problems = check_vectors(table, feature, matched)
        findings.extend(problems)
        if column is not None:
            vectors.append(column)
    return SampleOutput(table.num_rows, columns, tuple(vectors), tuple(findings))


def _read(blob: bytes) -> tuple[pa.Table | None, Finding | None]:
    """The table, fully validated: its bytes come from the plugin's process."""
    import pyarrow as pa

    if not blob:
        return None, None
    try:
        with pa.ipc.open_stream(pa.BufferReader(blob)) as reader:
            table = reader.read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as reason:
        remedy = "return plain columns of numbers, text and lists from the processors"
        return None, error("samples.data", f"the returned data is not a valid Arrow table: {reason}", remedy)
    return table, None


def _matched(table: pa.Table) -> pa.ChunkedArray | None:
    """Which rows a step received, as the guest claims; without a usable claim every row is asked."""
    import pyarrow as pa

    if MATCHED not in table.column_names or table[MATCHED].type != pa.bool_():
        return None
    return table[MATCHED].fill_null(True)


def _row_count(result: dict[str, Any], table: pa.Table, *, has_prepare: bool) -> Iterator[Finding]:
    given = result.get("input")
    rows = given.get("rows") if isinstance(given, dict) else None
    if isinstance(rows, int) and rows != table.num_rows and not has_prepare:
        message = f"{rows} rows went in and {table.num_rows} came out"
        yield error("samples.row-count", message, "return exactly the rows that came in, in their order")
