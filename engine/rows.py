"""The MIME type of a row, the rows a condition selects, and the columns a batch is expected to carry.

A row's MIME type is, in this order:

1. its ``mime_type``, lower-cased and without parameters such as ``; charset=utf-8``, when it is not null or empty;
2. what the file extension in ``data`` stands for, when ``data`` is a URL or a path, with or without a query;
3. ``text/plain`` when ``text`` is not null, or when ``data`` is a string that is no URL;
4. unknown: only `RowCondition.ALWAYS` selects such a row.

Source: the hosted batch columns and the command line contract, "Row Conditions"; steps 2 and 3 are ours, for
sample data that has no ``mime_type``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from engine.media import ANY_LOCATION, MIME_TYPE_OF_EXTENSION, NAMED_LOCATION
from engine.plugins.extractors.pipeline import RowCondition

__all__ = ["MIME_COLUMNS", "complete_columns", "condition_mask", "mime_matches", "mime_types"]

MIME_COLUMNS = frozenset({"mime_type", "data", "text"})
"""The columns a row's MIME type is read from."""

_UNKNOWN = -1
_Codes = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]


def mime_types(table: pa.Table) -> pa.DictionaryArray:
    """Return the MIME type of each row of ``table``: n values, dictionary-encoded strings, null where unknown.

    Raises TypeError when ``mime_type`` holds something other than strings.
    """
    vocabulary: dict[str, int] = {}
    codes = np.full(table.num_rows, _UNKNOWN, dtype=np.int64)
    if "mime_type" in table.column_names:
        codes = _declared(table["mime_type"], vocabulary)
    if "data" in table.column_names and _is_text_type(table["data"].type):
        unknown = codes == _UNKNOWN
        if unknown.any():
            codes[unknown] = _inferred(_strings(table["data"]).filter(pa.array(unknown)), vocabulary)
    if "text" in table.column_names and (codes == _UNKNOWN).any():
        has_text = table["text"].is_valid().to_numpy()
        codes[(codes == _UNKNOWN) & has_text] = vocabulary.setdefault("text/plain", len(vocabulary))
    indices = pa.array(codes.astype(np.int32), mask=codes == _UNKNOWN)
    return pa.DictionaryArray.from_arrays(indices, pa.array(list(vocabulary), type=pa.string()))


def condition_mask(types: pa.DictionaryArray, condition: RowCondition) -> _Mask:
    """Return which rows ``condition`` selects: n booleans, from the n types that `mime_types` gives."""
    if condition is RowCondition.ALWAYS:
        return np.ones(len(types), dtype=np.bool_)
    # The last entry answers for the unknown: index -1 reaches it.
    selected = [mime_matches(name, condition) for name in types.dictionary.to_pylist()]
    answers = np.array([*selected, False], dtype=np.bool_)
    codes = types.indices.fill_null(_UNKNOWN).to_numpy(zero_copy_only=False)
    mask: _Mask = answers[codes]
    return mask


def mime_matches(mime_type: str | None, condition: RowCondition) -> bool:
    """Tell whether a row of ``mime_type`` (lower case, no parameters; None is unknown) meets ``condition``."""
    if condition is RowCondition.ALWAYS:
        return True
    return mime_type is not None and _TESTS[condition](mime_type)


def complete_columns(table: pa.Table) -> pa.Table:
    """Return ``table`` with the columns a plugin may read: ``data``, ``text`` and ``mime_type``.

    Hosted batches carry ``data``, the contract's own example reads ``text``; a plugin of either kind then finds
    its column. A column that is there is left as it is. Otherwise ``text`` is added where ``data`` holds text
    rows, null for rows that are not text or name a text file; ``data`` is added as a copy of ``text``; and
    ``mime_type`` is added with what `mime_types` says, null where unknown. Row count and order stay.
    Raises TypeError as `mime_types` does.
    """
    types = mime_types(table)
    names = set(table.column_names)
    if "data" in names and "text" not in names and _is_text_type(table["data"].type):
        is_text = condition_mask(types, RowCondition.IS_TEXT) & ~_named_files(table)
        if is_text.any():
            data = _strings(table["data"])
            table = table.append_column("text", pc.if_else(pa.array(is_text), data, pa.scalar(None, data.type)))
    if "text" in names and "data" not in names:
        table = table.append_column("data", table["text"])
    if "mime_type" not in names:
        table = table.append_column("mime_type", types.cast(pa.string()))
    return table


_TESTS: dict[RowCondition, Callable[[str], bool]] = {
    RowCondition.IS_TEXT: lambda mime: mime.startswith("text/"),
    RowCondition.IS_IMAGE: lambda mime: mime.startswith("image/"),
    RowCondition.IS_VIDEO: lambda mime: mime.startswith("video/"),
    RowCondition.IS_AUDIO: lambda mime: mime.startswith("audio/"),
    RowCondition.IS_PDF: lambda mime: mime == "application/pdf",
    RowCondition.IS_VISUAL: lambda mime: mime.startswith(("image/", "video/")),
    RowCondition.IS_VIDEO_OR_AUDIO: lambda mime: mime.startswith(("video/", "audio/")),
}


def _declared(column: pa.ChunkedArray, vocabulary: dict[str, int]) -> _Codes:
    """Read the ``mime_type`` column; each distinct spelling is normalised once."""
    if not _is_text_type(column.type):
        raise TypeError(f"Column mime_type holds {column.type}. Give strings such as 'text/plain', or null.")
    encoded = _strings(column).dictionary_encode()
    codes = []
    for spelling in encoded.dictionary.to_pylist():
        name = spelling.partition(";")[0].strip().lower()
        codes.append(vocabulary.setdefault(name, len(vocabulary)) if name else _UNKNOWN)
    return _looked_up(encoded, codes)


def _inferred(data: pa.Array, vocabulary: dict[str, int]) -> _Codes:
    """Read the type from ``data``: by extension, else text unless it is null or a URL."""
    encoded = pc.struct_field(pc.extract_regex(data, NAMED_LOCATION), "extension").dictionary_encode()
    names = [MIME_TYPE_OF_EXTENSION[extension.lower()] for extension in encoded.dictionary.to_pylist()]
    codes = [vocabulary.setdefault(name, len(vocabulary)) for name in names]
    result = _looked_up(encoded, codes)
    if (result == _UNKNOWN).any():
        is_url = (
            pc.match_substring_regex(data, ANY_LOCATION).fill_null(fill_value=True).to_numpy(zero_copy_only=False)
        )
        result[(result == _UNKNOWN) & ~is_url] = vocabulary.setdefault("text/plain", len(vocabulary))
    return result


def _named_files(table: pa.Table) -> _Mask:
    """Tell which rows hold a text file's location instead of text, as far as no ``mime_type`` says otherwise."""
    data = _strings(table["data"])
    located = (
        pc.match_substring_regex(data, NAMED_LOCATION).fill_null(fill_value=False).to_numpy(zero_copy_only=False)
    )
    if "mime_type" not in table.column_names:
        return np.asarray(located, dtype=np.bool_)
    declared = _declared(table["mime_type"], {}) != _UNKNOWN
    return np.asarray(located & ~declared, dtype=np.bool_)


def _looked_up(encoded: pa.DictionaryArray, codes: list[int]) -> _Codes:
    indices = encoded.indices.fill_null(_UNKNOWN).to_numpy(zero_copy_only=False)
    looked_up: _Codes = np.array([*codes, _UNKNOWN], dtype=np.int64)[indices]
    return looked_up


def _is_text_type(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
        or pa.types.is_string_view(kind)
        or pa.types.is_null(kind)
    )


def _strings(column: pa.ChunkedArray) -> pa.Array:
    """One array with 64-bit offsets: a text column may pass 2 GiB."""
    combined = column.cast(pa.large_string()).combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined
