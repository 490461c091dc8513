"""The engine's multiplexed stream, over a pair of sockets."""

from __future__ import annotations

import socket
import struct
import time
from collections import deque
from types import SimpleNamespace

import pytest

from sandbox.stream import AttachedStream


@pytest.fixture
def ends():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        api = SimpleNamespace(attach_socket=lambda *_, **__: ours)
        yield AttachedStream(SimpleNamespace(client=SimpleNamespace(api=api)), "id"), theirs


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack("!BxxxI", stream, len(data)) + data


def soon() -> float:
    return time.monotonic() + 5


def test_frames_are_told_apart_however_they_come(ends):
    stream, engine = ends
    for byte in frame(1, b"out") + frame(2, b"err") + frame(1, b""):
        engine.send(bytes([byte]))
    engine.close()
    assert list(stream.chunks(soon())) == [(True, b"out"), (False, b"err"), (True, b"")]


def test_what_came_together_is_heard_by_two_listeners_in_turn(ends):
    stream, engine = ends
    engine.send(frame(1, b"first") + frame(1, b"second"))
    assert next(stream.chunks(soon())) == (True, b"first")
    assert next(stream.chunks(soon())) == (True, b"second")


def test_a_frame_that_never_ends_is_never_told(ends):
    stream, engine = ends
    engine.send(frame(1, b"whole") + frame(1, b"torn")[:-1])
    engine.close()
    assert list(stream.chunks(soon())) == [(True, b"whole")]


def test_a_silent_guest_runs_into_the_deadline(ends):
    stream, _ = ends
    with pytest.raises(TimeoutError):
        list(stream.chunks(time.monotonic() + 0.05))


def test_a_flood_does_not_put_the_deadline_off(ends):
    stream, engine = ends
    engine.settimeout(0)
    flood = frame(2, b"x" * 1000)
    engine.send(flood)
    with pytest.raises(TimeoutError):
        deque(engine.send(flood) for _ in stream.chunks(time.monotonic() + 0.05))


def test_a_guest_that_reads_nothing_runs_into_the_deadline(ends):
    stream, _ = ends
    with pytest.raises(TimeoutError):
        stream.send(bytes(1 << 24), time.monotonic() + 0.05)


def test_a_guest_that_is_gone_is_left_to_the_engine_to_explain(ends):
    stream, engine = ends
    engine.close()
    stream.send(bytes(1 << 24), soon())
    assert list(stream.chunks(soon())) == []


def test_a_stream_may_be_closed_twice(ends):
    stream, _ = ends
    stream.close()
    stream.close()
