"""The sample run: the guest's figures, and what the host recomputes from the data that came back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.protocol import printable
from toolchain.check.returned_table import MATCHED, TableRefused, read_returned_table
from toolchain.check.untrusted import fields
from toolchain.check.vectors import VectorColumn, check_vectors, embedding_features
from toolchain.core.findings import Finding, error

if TYPE_CHECKING:
    import pyarrow as pa


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
    if not blob:
        return SampleOutput()
    import pyarrow.compute as pc

    try:
        table = read_returned_table(blob)
    except TableRefused as reason:
        message = f"the returned data is not a table of ours: {reason}"
        remedy = "return plain columns of numbers, text and lists from the processors, and nothing else"
        return SampleOutput(findings=(error("samples.data", message, remedy),))
    findings = list(_row_count(result, table, has_prepare=has_prepare))
    matched = table[MATCHED]
    if table.num_rows and not pc.any(matched).as_py():
        remedy = "give the sample rows the MIME types that the steps ask for, or correct the steps' conditions"
        findings.append(error("samples.no-match", "no sample row met the condition of any step", remedy))
    columns = tuple(printable(name) for name in table.column_names if name != MATCHED)
    vectors = []
    for feature in embedding_features(features):
        column, problems = check_vectors(table, feature, matched)
        findings.extend(problems)
        if column is not None:
            vectors.append(column)
    return SampleOutput(table.num_rows, columns, tuple(vectors), tuple(findings))


def _row_count(result: dict[str, Any], table: pa.Table, *, has_prepare: bool) -> Iterator[Finding]:
    rows = fields(result.get("input")).get("rows")
    if not isinstance(rows, int):
        remedy = "remove the code that interferes with the process that tests the plugin"
        yield error("samples.row-count", "the number of rows that went in was not reported", remedy)
    elif rows != table.num_rows and not has_prepare:
        message = f"{rows} rows went in and {table.num_rows} came out"
        yield error("samples.row-count", message, "return exactly the rows that came in, in their order")
