"""Tables that a hostile guest might send: each is refused before anybody looks into it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sandbox.arrow import TableRefused, read_untrusted_table


def stream(table: pa.Table, **options) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def offsets(*values: int) -> bytes:
    return b"".join(value.to_bytes(4, "little") for value in values)


def array(kind: pa.DataType, length: int, *buffers: bytes) -> pa.Array:
    return pa.Array.from_buffers(kind, length, [None, *map(pa.py_buffer, buffers)])


# Made when asked for: pytest compares parameters, and large arrays take their time over it.
@pytest.mark.parametrize(
    "make",
    [
        lambda: array(pa.string(), 3, offsets(0, 90, 20, 99), bytes(100)),
        lambda: array(pa.string(), 1, offsets(0, 1), b"\xff"),
        lambda: pa.DictionaryArray.from_arrays(pa.array([0, 99], pa.int32()), pa.array(["a"]), safe=False),
        lambda: pa.nulls(10**9),
        lambda: pa.RunEndEncodedArray.from_arrays(pa.array([1 << 30], pa.int32()), pa.array([1])),
    ],
    ids=["offsets that fall", "no UTF-8", "dictionary", "rows without bytes", "runs"],
)
def test_a_table_that_claims_more_than_its_bytes_hold(make):
    with pytest.raises(TableRefused):
        read_untrusted_table(stream(pa.table({"column": make()})))


@pytest.mark.parametrize("cut", [1, 8, 100, 500])
def test_a_table_that_is_cut_short(cut):
    with pytest.raises(TableRefused):
        read_untrusted_table(stream(pa.table({"number": list(range(200))}))[:-cut][: -8 if cut == 8 else None])


@pytest.mark.parametrize("data", [b"", b"\xff" * 100, bytes(100), b"ARROW1\0\0" + bytes(50)])
def test_what_is_no_table_at_all(data):
    with pytest.raises(TableRefused):
        read_untrusted_table(data)


def test_what_grows_when_it_is_read():
    with pytest.raises(TableRefused, match="compressed"):
        read_untrusted_table(stream(pa.table({"number": [0] * 1000}), compression="zstd"))


@pytest.mark.parametrize("place", range(0, 400, 4))
def test_a_table_whose_bytes_were_changed(place):
    """Lengths, offsets and metadata alike: what comes back is refused, or is a table that is valid in itself."""
    data = bytearray(stream(pa.table({"text": ["one", "three", None], "list": [[1], [2, 3], []]})))
    data[place : place + 4] = b"\x7f\xff\xff\x7f"[: len(data) - place]
    try:
        table = read_untrusted_table(bytes(data))
    except TableRefused:
        return
    table.validate(full=True)
    table.to_pylist()


def test_names_that_occur_twice():
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["same", "same"])
    with pytest.raises(TableRefused, match="twice"):
        read_untrusted_table(stream(table))


def test_an_honest_table_keeps_its_bytes_alive():
    table = pa.table({"text": ["a", None], "flag": [True, False], "list": [[1.0], []]})
    assert read_untrusted_table(pa.py_buffer(stream(table))).equals(table)
