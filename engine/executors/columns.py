"""From the columns of a processor's output to Arrow arrays, and from several types to one."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

_NUMBER_KINDS = frozenset("iufb")
_INT32_LIMIT = 2**31 - 1


class UnconvertibleError(Exception):
    """A value has no Arrow form; ``position`` is the first row, in the column given, that cannot be taken."""

    def __init__(self, position: int, reason: str) -> None:
        """Keep the position for the caller, who knows which row of the dataset it is."""
        super().__init__(reason)
        self.position = position


def to_arrow(series: pd.Series[Any]) -> pa.Array:
    """Convert n pandas values to an Arrow array of n, missing values (None, NaN, pd.NA, NaT) to null.

    Rows that hold a vector each (ndarray, list or tuple of numbers, of any lengths, or missing) become a list
    array over one flat buffer; NaN inside a vector stays NaN. Raises UnconvertibleError.
    """
    values: Any = series.to_numpy() if isinstance(series.dtype, np.dtype) else series.array
    try:
        return _converted(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise UnconvertibleError(_first_failure(values), " ".join(str(error).split())) from error


def _converted(values: Any) -> pa.Array:
    if isinstance(values, np.ndarray) and values.dtype == np.dtype(object):
        vectors = _vectors(values)
        if vectors is not None:
            return vectors
        if any(isinstance(value, np.ndarray) and value.ndim != 1 for value in values):
            values = [v.tolist() if isinstance(v, np.ndarray) else v for v in values]
        array = pa.array(values, from_pandas=True)
    elif isinstance(values, np.ndarray):
        array = pa.array(values, from_pandas=True)
    else:
        array = pa.array(values)  # extension arrays know their own missing values
    array = _one(array)
    # Each batch of a categorical has a dictionary of its own: only the values can be joined.
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _vectors(values: np.ndarray[Any, Any]) -> pa.Array | None:
    """Stack vectors of numbers; None when the rows are something else."""
    kinds = set(map(type, values))
    if not kinds & {np.ndarray, list, tuple}:
        return None
    missing = np.array([_is_missing(value) for value in values])
    present = values[~missing].tolist() if missing.any() else values.tolist()
    if any(not isinstance(value, np.ndarray | list | tuple) for value in present):
        return None
    if any(isinstance(value, np.ndarray) and value.ndim == 0 for value in present):
        return None
    lengths = np.fromiter(map(len, present), dtype=np.int64, count=len(present))
    flat = _flat(present, lengths)
    if flat is None:
        return None
    all_lengths = np.zeros(len(values), dtype=np.int64)
    all_lengths[~missing] = lengths
    offsets = np.concatenate([[0], np.cumsum(all_lengths)])
    small = offsets[-1] <= _INT32_LIMIT
    kind = pa.ListArray if small else pa.LargeListArray
    bounds = pa.array(offsets.astype(np.int32 if small else np.int64))
    mask = pa.array(missing) if missing.any() else None
    return kind.from_arrays(bounds, pa.array(flat), mask=mask)


def _flat(present: list[Any], lengths: np.ndarray[Any, Any]) -> np.ndarray[Any, Any] | None:
    """Join the vectors; empty ones have no say in the type. None unless all are 1-D and hold numbers."""
    filled = [value for value in present if len(value)] if (lengths == 0).any() else present
    if not filled:
        return None
    try:
        if (lengths == lengths[0]).all():
            stacked = np.array(filled)
            flat = stacked.reshape(-1) if stacked.ndim == 2 else None
        else:
            flat = np.concatenate(filled)
    except ValueError:
        return None
    if flat is None or flat.ndim != 1 or flat.dtype.kind not in _NUMBER_KINDS:
        return None
    return flat


def _is_missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)  # noqa: PLR0124  # NaN


def _one(array: Any) -> pa.Array:
    if isinstance(array, pa.ChunkedArray):
        return pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], type=array.type)
    return array


def _first_failure(values: Any) -> int:
    """Find the shortest prefix that does not convert, by halving: its last row is the one to name."""
    low, high = 0, len(values)  # a prefix of `low` rows converts, one of `high` rows does not
    while high - low > 1:
        middle = (low + high) // 2
        try:
            _converted(values[:middle])
            low = middle
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            high = middle
    return max(0, high - 1)


def unchanged(before: pd.Series[Any], after: pd.Series[Any], arrow_type: pa.DataType) -> bool:
    """Tell whether a column came back as it went in; then the Arrow original is kept, exact in type and null.

    Rows of structs or maps count as changed: a processor may have edited the dict that a row holds in place.
    """
    if before.dtype != after.dtype:
        return False
    if not isinstance(before.dtype, np.dtype):
        return bool(_one(pa.array(before.array)).equals(_one(pa.array(after.array))))
    old, new = before.to_numpy(), after.to_numpy()
    if before.dtype == np.dtype(object):
        return not _has_mutable_values(arrow_type) and all(map(operator.is_, old, new))
    # Bytes, not values: NaN equals itself here.
    return bool(np.array_equal(np.ascontiguousarray(old).view(np.uint8), np.ascontiguousarray(new).view(np.uint8)))


def _has_mutable_values(kind: pa.DataType) -> bool:
    """Lists of numbers arrive as read-only ndarrays and strings are immutable; dicts and inner lists are not."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return bool(pa.types.is_nested(kind.value_type)) or not pa.types.is_primitive(kind.value_type)
    return bool(pa.types.is_nested(kind))


def unified_type(types: Sequence[pa.DataType]) -> pa.DataType:
    """Return the least type that holds all of ``types``; raises pa.ArrowTypeError where there is none."""
    schemas = [pa.schema([("column", kind)]) for kind in dict.fromkeys(types)]
    return pa.unify_schemas(schemas, promote_options="permissive").field("column").type


def narrowed(arrays: Sequence[pa.Array], original: pa.DataType) -> list[pa.Array] | None:
    """Cast ``arrays`` back to a column's ``original`` type when nothing is lost by it, else None.

    A null turns an integer column into floats in pandas, and text is wider there than in a file; a processor
    that edits such a column did not mean to change its type.
    """
    if not all(_same_family(array.type, original) for array in arrays):
        return None
    try:
        return [array.cast(original) for array in arrays]
    except pa.ArrowException:
        return None


def _same_family(kind: pa.DataType, original: pa.DataType) -> bool:
    is_type = pa.types
    if kind == original or is_type.is_null(kind):
        return True
    if is_type.is_dictionary(original):
        return _same_family(kind, original.value_type)
    if _is_list(original):
        return _is_list(kind) and _same_family(kind.value_type, original.value_type)
    if is_type.is_floating(original):
        return bool(is_type.is_floating(kind) and kind.bit_width <= original.bit_width)
    whole = is_type.is_integer(original) and (is_type.is_integer(kind) or is_type.is_floating(kind))
    moment = is_type.is_timestamp(original) and is_type.is_timestamp(kind) and kind.tz == original.tz
    return bool(whole or moment or (_is_string(original) and _is_string(kind)))


def _is_string(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))
