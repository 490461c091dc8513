"""The ping of a socket: every way a peer can disappoint, against real unix sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from toolchain.core.containers.probe import State, _explain, ping_socket

Behaviour = Callable[[socket.socket], None]


@contextmanager
def listener(path: Path, behave: Behaviour) -> Iterator[None]:
    """A unix socket whose first visitor is treated with ``behave``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            visitor, _ = server.accept()
            with visitor:
                behave(visitor)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        thread.join(5)


def answer(text: str) -> Behaviour:
    def behave(visitor: socket.socket) -> None:
        visitor.recv(4096)
        visitor.sendall(text.replace("\n", "\r\n").encode())

    return behave


def test_an_engine_answers_with_its_api_version(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with listener(path, answer("HTTP/1.1 200 OK\nApi-Version: 1.41\nServer: x\n\nOK")):
        ping = ping_socket(path, 2)
    assert (ping.state, ping.api_version) == (State.ANSWERS, "1.41")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SSH-2.0-OpenSSH_9.2\n",
        "HTTP/1.1 200 OK\nServer: nginx\n\nOK",
        "HTTP/1.1 500 Oops\nApi-Version: 1.41\n\n",
        "HTTP/1.1\n\n",
    ],
    ids=["closes", "no http", "no api version", "an error", "half a line"],
)
def test_whoever_is_no_engine_is_told_apart(tmp_path: Path, text: str) -> None:
    path = tmp_path / "s"
    with listener(path, answer(text)):
        ping = ping_socket(path, 2)
    assert ping.state is State.ALIEN
    assert ping.detail


def test_a_peer_that_never_answers_is_silent_while_it_still_holds_the_line(tmp_path: Path) -> None:
    path = tmp_path / "s"
    leave = threading.Event()
    with listener(path, lambda _: leave.wait(30) and None):
        ping = ping_socket(path, 0.2)
        leave.set()
    assert ping.state is State.SILENT  # whoever waits for the peer to leave sees it close the line: ALIEN


def test_a_peer_that_drips_is_bounded_too(tmp_path: Path) -> None:
    left = threading.Event()

    def drip(visitor: socket.socket) -> None:
        try:
            for _ in range(600):
                visitor.sendall(b"H")
                time.sleep(0.05)
        except OSError:
            left.set()

    path = tmp_path / "s"
    with listener(path, drip):
        ping = ping_socket(path, 0.3)
        assert left.wait(10), "the ping leaves before the peer has said all"
    assert ping.state is State.SILENT


def test_a_full_queue_of_connections_is_silence(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
        server.listen(0)
        waiting = [socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) for _ in range(3)]
        try:
            for one in waiting:
                one.setblocking(False)
                one.connect_ex(str(path))
            assert ping_socket(path, 0.2).state is State.SILENT
        finally:
            for one in waiting:
                one.close()


def test_a_socket_file_that_nobody_listens_on_is_absent(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(path))
    assert path.exists()
    assert ping_socket(path, 1).state is State.ABSENT


def test_no_file_a_plain_file_and_too_long_a_path_are_absent(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    for path in (tmp_path / "none", plain, plain / "below", tmp_path / ("x" * 120)):
        assert ping_socket(path, 1).state is State.ABSENT, path


def test_permission_denied_has_its_own_word() -> None:
    # Root may connect to any socket, so the kernel's answer is given here.
    assert _explain(PermissionError(13, "Permission denied"), 1).state is State.DENIED
