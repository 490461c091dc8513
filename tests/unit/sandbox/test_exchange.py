"""The memory that host and guest share: what its seals refuse, and who gets it."""

from __future__ import annotations

import fcntl
import mmap
import os
import socket
import threading
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest

from sandbox.arrow import read_untrusted_table
from sandbox.exchange import SLOTS, SOCKET, Exchange

TABLE = pa.table({"number": np.arange(1000.0), "text": ["word"] * 1000})


@pytest.fixture
def exchange():
    with Exchange(1 << 16) as made:
        yield made


def connect(exchange: Exchange) -> list[int]:
    """What whoever connects is given."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as guest:
        guest.connect(f"{exchange.mount['Source']}/{SOCKET}")
        return list(socket.recv_fds(guest, 64, 2)[1])


@pytest.fixture
def handed(exchange):
    """The descriptors as a guest gets them."""
    found: list[int] = []
    guest = threading.Thread(target=lambda: found.extend(connect(exchange)))
    guest.start()
    assert exchange.hand_over()
    guest.join()
    yield found
    for descriptor in found:
        os.close(descriptor)


def test_only_the_first_who_connects_gets_the_files(exchange, handed):
    assert len(handed) == 2
    with pytest.raises(OSError, match="No such file"):
        connect(exchange)


def test_nobody_who_comes_is_no_error(exchange, monkeypatch):
    monkeypatch.setattr("sandbox.exchange._HANDING_SECONDS", 0.01)
    assert not exchange.hand_over()


@pytest.mark.parametrize("change", [-4096, 4096])
def test_no_file_changes_its_size(handed, change):
    for descriptor in handed:
        size = os.fstat(descriptor).st_size
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, size + change)


def test_a_guest_writes_only_the_outgoing_file(handed):
    incoming, outgoing = handed
    with pytest.raises(PermissionError):
        mmap.mmap(incoming, 0)
    with pytest.raises(PermissionError):
        os.pwrite(incoming, b"x", 0)
    mmap.mmap(outgoing, 0).close()


def test_a_guest_lifts_no_seal(handed):
    for descriptor in handed:
        with pytest.raises(PermissionError):
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)


def test_a_table_goes_in_and_comes_back(exchange, handed):
    incoming, outgoing = handed
    length = exchange.write(2, TABLE)
    assert length is not None
    with mmap.mmap(incoming, 0, prot=mmap.PROT_READ) as theirs, mmap.mmap(outgoing, 0) as back:
        back[exchange.slot_bytes : exchange.slot_bytes + length] = theirs[
            2 * exchange.slot_bytes : 2 * exchange.slot_bytes + length
        ]
        copy = exchange.read(1, length)
        back[:] = bytes(len(back))
    assert read_untrusted_table(copy).equals(TABLE)


def test_what_does_not_fit_is_not_cut(exchange):
    assert exchange.write(0, pa.table({"number": np.arange(10_000.0)})) is None
    assert exchange.write(0, TABLE) is not None


@pytest.mark.parametrize(("slot", "length"), [(-1, 1), (SLOTS, 1), (0, -1), (0, (1 << 16) + 1), (3, 1 << 40)])
def test_no_byte_outside_a_slot_is_read(exchange, slot, length):
    with pytest.raises(ValueError, match="outside"):
        exchange.read(slot, length)


def test_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - only how many
    with suppress(LookupError), Exchange() as exchange:
        assert list(tmp_path.iterdir()) != []
        assert exchange.mount["ReadOnly"] is True
        raise LookupError
    assert list(tmp_path.iterdir()) == []
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_folder_with_a_path_longer_than_a_socket_takes(tmp_path, monkeypatch):
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    with Exchange() as exchange:
        assert str(deep) in exchange.mount["Source"]
