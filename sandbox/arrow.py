"""Reads Arrow data that a guest sends back, which is to say bytes that a hostile process may have made up."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from sandbox.protocol import printable

if TYPE_CHECKING:
    import pyarrow as pa

COLUMN_LIMIT: Final = 2_000
BATCH_LIMIT: Final = 100_000
_SAID: Final = 300

# Positions of fields in Arrow's flatbuffers (format/Message.fbs).
_MESSAGE_HEADER: Final = 2
_BATCH_COMPRESSION: Final = 3
_DICTIONARY_DATA: Final = 1


class TableRefused(Exception):
    """The bytes are no table that our own guest would send."""


def read_untrusted_table(data: bytes | pa.Buffer) -> pa.Table:
    """The table in an Arrow IPC stream, validated in full and no larger than its bytes, which it keeps alive.

    ``data`` must be the caller's own: what somebody else can still write to may change after it was validated.
    Our guest never compresses, so a compressed stream is not its own: it could grow a thousandfold when read. Rows
    that take no bytes (columns of nulls, of lists of size zero) are bounded by eight for each byte, one bit a row.
    Raises ``TableRefused``.
    """
    import pyarrow as pa

    try:
        size = len(data) if isinstance(data, bytes) else data.size
        _refuse_compression(data)
        with pa.ipc.open_stream(pa.BufferReader(data)) as reader:
            if len(reader.schema) > COLUMN_LIMIT:
                raise TableRefused(f"it has {len(reader.schema)} columns; {COLUMN_LIMIT} are read")
            table = reader.read_all()
        table.validate(full=True)
        names = table.column_names
    except (pa.ArrowException, OSError, ValueError, OverflowError, struct.error, IndexError) as reason:
        raise TableRefused(" ".join(printable(str(reason)).split())[:_SAID]) from None
    if len(set(names)) != len(names):
        raise TableRefused("a column name occurs twice")
    if table.num_rows > 8 * size:
        raise TableRefused(f"it claims {table.num_rows} rows in {size} bytes")
    return table


def _refuse_compression(data: bytes | pa.Buffer) -> None:
    import pyarrow as pa

    for number, message in enumerate(pa.ipc.MessageReader.open_stream(pa.BufferReader(data))):
        if number > BATCH_LIMIT:
            raise TableRefused(f"it is in more than {BATCH_LIMIT} pieces")
        if message.type in {"record batch", "dictionary"} and _is_compressed(message):
            raise TableRefused("it is compressed")


def _is_compressed(message: pa.ipc.Message) -> bool:
    """Whether the metadata names a compression; pyarrow itself does not tell before it has decompressed."""
    data = message.metadata.to_pybytes()
    root = struct.unpack_from("<I", data)[0]
    batch = _table_at(data, root, _MESSAGE_HEADER)
    if batch is not None and message.type == "dictionary":
        batch = _table_at(data, batch, _DICTIONARY_DATA)
    return batch is not None and _table_at(data, batch, _BATCH_COMPRESSION) is not None


def _table_at(data: bytes, table: int, field: int) -> int | None:
    """Where the sub-table in a field of a flatbuffers table begins; ``None`` when the field is not set."""
    vtable = table - struct.unpack_from("<i", data, table)[0]
    entry = 4 + 2 * field
    if vtable < 0 or entry >= struct.unpack_from("<H", data, vtable)[0]:
        return None
    offset = struct.unpack_from("<H", data, vtable + entry)[0]
    if not offset:
        return None
    position = table + offset
    return int(position + struct.unpack_from("<I", data, position)[0])
