"""What the host measures in vectors, without the libraries that it does not need for that."""

from __future__ import annotations

import pyarrow as pa
import pytest

from toolchain.check.vectors import EmbeddingFeature, check_vectors

FEATURE = EmbeddingFeature("v", 2, alone=True)
LISTS = pa.list_(pa.float64())


def rules(rows: list, kind: pa.DataType = LISTS, first: int = 0) -> list[str]:
    table = pa.table({"v": pa.array(rows, kind)}).slice(first)
    _, findings = check_vectors(table, FEATURE, pa.chunked_array([[True] * len(table)]))
    return [finding.rule for finding in findings]


@pytest.mark.parametrize("bad", [None, float("nan"), float("inf")])
@pytest.mark.parametrize("first", [0, 1])
def test_a_number_that_is_missing_or_not_finite_is_found_wherever_the_column_begins(
    bad: float | None, first: int
) -> None:
    assert rules([[1.0, 2.0], [3.0, bad], [5.0, 6.0]], first=first) == ["samples.not-finite"]
    assert rules([[1.0, bad], [3.0, 4.0], [5.0, 6.0]], first=1) == []


def test_whole_numbers_are_vectors_too() -> None:
    assert rules([[1, 2], [3, 2**60 + 1]], pa.list_(pa.int64())) == []
    assert rules([[1, 2], [3, None]], pa.list_(pa.int64())) == ["samples.not-finite"]
