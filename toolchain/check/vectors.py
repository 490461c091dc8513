"""Are embeddings what the manifest declares: there, of the declared length, finite, and not all the same?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from toolchain.core.findings import Finding, Severity, error

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pyarrow as pa

    Number = TypeVar("Number", np.int64, np.float64)

_REMEDY = "correct the processor, or the feature in manifest.py"


@dataclass(frozen=True)
class EmbeddingFeature:
    """An embedding as the manifest declares it; ``alone`` when it is the only one."""

    name: str
    dimension: int | None
    alone: bool


@dataclass(frozen=True)
class VectorColumn:
    """What the host measured: ``vectors`` of ``dimension`` numbers in ``column``, ``missing`` rows without one."""

    feature: str
    column: str
    vectors: int
    dimension: int
    missing: int

    def to_json(self) -> dict[str, Any]:
        """The figures as they are recorded."""
        return asdict(self)


def embedding_features(features: Any) -> list[EmbeddingFeature]:
    """The well-formed embedding features; malformed ones have findings of their own."""
    entries = [entry for entry in features if isinstance(entry, dict)] if isinstance(features, list) else []
    found = [entry for entry in entries if isinstance(entry.get("feature_name"), str)]
    return [
        EmbeddingFeature(entry["feature_name"], _dimension(entry.get("embedding_dim")), alone=len(found) == 1)
        for entry in found
    ]


def check_vectors(
    table: pa.Table, feature: EmbeddingFeature, matched: pa.ChunkedArray
) -> tuple[VectorColumn | None, list[Finding]]:
    """Measure one feature's column over the rows that a step received.

    The column is named after the feature; a single feature may also stand under ``embedding``, where the platform
    looks second.
    """
    import numpy as np
    import pyarrow as pa

    column = _column(table, feature)
    if column is None:
        message = f"no output column holds the feature {feature.name!r}"
        remedy = f"write the vectors to batch[{feature.name!r}]"
        return None, [error("samples.feature-missing", message, remedy)]
    chunks = table[column].filter(matched)
    values = pa.concat_arrays(chunks.chunks) if chunks.num_chunks else pa.array([], chunks.type)
    kind = values.type
    if pa.types.is_null(kind):
        return None, [error("samples.vectors-missing", f"column {column!r} holds no vector in any row", _REMEDY)]
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not lists or not _is_number(kind.value_type):
        message = f"column {column!r} holds {str(kind)[:100]!r}, not lists of numbers"
        return None, [error("samples.vector-type", message, _REMEDY)]
    present = values.drop_null()
    lengths = _numpy(present.value_lengths(), pa.int64(), np.int64)
    numbers = present.flatten()
    findings = list(_problems(feature, column, lengths, numbers, len(values) - len(present)))
    dimension = int(lengths[0]) if len(lengths) else 0
    return VectorColumn(feature.name, column, len(present), dimension, len(values) - len(present)), findings


def check_vector(values: Any, feature: EmbeddingFeature, place: str) -> list[Finding]:
    """Findings about one vector given as a list of numbers."""
    import numpy as np

    numbers = np.asarray([value if isinstance(value, (int, float)) else np.nan for value in values], dtype=float)
    findings = []
    if feature.dimension is not None and len(numbers) != feature.dimension:
        message = f"{place} has {len(numbers)} numbers; feature {feature.name!r} declares {feature.dimension}"
        findings.append(error("realtime.dimension", message, _REMEDY))
    if not np.isfinite(numbers).all():
        findings.append(error("realtime.not-finite", f"{place} holds NaN or infinity", _REMEDY))
    return findings


def _problems(
    feature: EmbeddingFeature, column: str, lengths: npt.NDArray[np.int64], numbers: pa.Array, missing: int
) -> Iterator[Finding]:
    import numpy as np
    import pyarrow as pa

    if not len(lengths):
        yield error("samples.vectors-missing", f"column {column!r} holds no vector in any row", _REMEDY)
        return
    if missing:
        message = f"column {column!r} holds no vector in {missing} of {missing + len(lengths)} rows"
        remedy = "return a vector for every row, or make sure that such rows are meant to have none"
        yield Finding(Severity.WARNING, "samples.vectors-missing", message, remedy)
    expected = feature.dimension or max(int(lengths[0]), 1)
    wrong = [int(length) for length in np.unique(lengths) if length != expected]
    if wrong:
        shown = ", ".join(map(str, wrong[:5]))
        asked = f"the feature declares {expected}" if feature.dimension else f"others hold {expected}"
        yield error("samples.dimension", f"column {column!r} holds vectors of {shown} numbers; {asked}", _REMEDY)
        return
    # Unsafe, since a whole number beyond 2**53 loses digits as a float and is still a number.
    flat = _with_nan(numbers.cast(pa.float64(), safe=False))
    if not np.isfinite(flat).all():
        bad = len(np.unique(np.flatnonzero(~np.isfinite(flat)) // expected))
        yield error("samples.not-finite", f"{bad} vectors in column {column!r} hold NaN or infinity", _REMEDY)
        return
    vectors = flat.reshape(len(lengths), -1)
    if len(vectors) > 1 and bool((vectors == vectors[0]).all()):
        message = f"all {len(vectors)} vectors in column {column!r} are equal"
        yield error("samples.all-equal", message, "the model or its input is not used; correct the processor")


def _with_nan(numbers: pa.DoubleArray) -> npt.NDArray[np.float64]:
    """Numbers as numpy, NaN for each null; by their buffers: even pyarrow's scalar of a NaN imports pandas."""
    import numpy as np
    import pyarrow as pa

    flat = _numpy(numbers, pa.float64(), np.float64)
    if not numbers.null_count:
        return flat
    bits = np.unpackbits(np.frombuffer(numbers.buffers()[0], dtype=np.uint8), bitorder="little")
    return np.where(bits[numbers.offset : numbers.offset + len(numbers)] == 1, flat, np.nan)


def _numpy(array: pa.Array, arrow: pa.DataType, kind: type[Number]) -> npt.NDArray[Number]:
    """An array as numpy, anything at nulls; by its buffer: pyarrow's own conversion imports pandas (0.4 s)."""
    import numpy as np

    array = array.cast(arrow)
    if not len(array):
        return np.zeros(0, dtype=kind)
    return np.frombuffer(array.buffers()[1], dtype=kind)[array.offset : array.offset + len(array)]


def _column(table: pa.Table, feature: EmbeddingFeature) -> str | None:
    names = (feature.name, "embedding") if feature.alone else (feature.name,)
    return next((name for name in names if name in table.column_names), None)


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))


def _dimension(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
