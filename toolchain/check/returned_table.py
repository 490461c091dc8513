"""Reads the table that the samples stage sends back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.arrow import TableRefused, read_untrusted_table

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["MATCHED", "TableRefused", "read_returned_table"]

MATCHED = "__matched__"


def read_returned_table(blob: bytes) -> pa.Table:
    """The table in an Arrow IPC stream, whose last column says which rows a step received.

    Raises ``TableRefused``.
    """
    import pyarrow as pa

    table = read_untrusted_table(blob)
    if table.column_names[-1:] != [MATCHED] or table[MATCHED].type != pa.bool_() or table[MATCHED].null_count:
        raise TableRefused("it does not say which rows a step received")
    return table
