"""Asks a unix socket whether an engine is behind it, without importing the docker SDK (200 ms)."""

from __future__ import annotations

import socket
import time
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

_REQUEST = b"GET /_ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
_ANSWER_LIMIT = 64 << 10
# sun_path holds 108 bytes, the last of them a zero.
SOCKET_PATH_LIMIT = 107


class State(Enum):
    """What became of a ping."""

    ANSWERS = "answers"
    ABSENT = "absent"  # no such file, or nobody listens behind it any more
    DENIED = "denied"
    SILENT = "silent"  # accepted, then no answer in time
    ALIEN = "alien"  # somebody answered who is no container engine


@dataclass(frozen=True)
class Ping:
    """An answer to ``ping_socket``: ``api_version`` is empty unless ``state`` is ``ANSWERS``."""

    state: State
    detail: str = ""
    api_version: str = ""


def ping_socket(path: Path, timeout: float) -> Ping:
    """Send ``GET /_ping`` to a unix socket; never raises.

    ``timeout`` in seconds bounds the whole exchange, also against a peer that drips one byte at a time.
    Source: https://docs.docker.com/reference/api/engine/ (SystemPing).
    """
    if len(bytes(path)) > SOCKET_PATH_LIMIT:
        return Ping(State.ABSENT, f"the path is longer than the {SOCKET_PATH_LIMIT} bytes a unix socket allows")
    try:
        return _parse(_exchange(path, timeout))
    except OSError as reason:
        return _explain(reason, timeout)


def _explain(reason: OSError, timeout: float) -> Ping:
    if isinstance(reason, (FileNotFoundError, NotADirectoryError)):
        return Ping(State.ABSENT, "there is no such socket")
    if isinstance(reason, ConnectionRefusedError):
        return Ping(State.ABSENT, "nobody listens on it")
    if isinstance(reason, PermissionError):
        return Ping(State.DENIED, "permission denied")
    # EAGAIN is how a unix socket says that its queue of waiting connections is full.
    if isinstance(reason, (TimeoutError, BlockingIOError)):
        return Ping(State.SILENT, f"no answer within {timeout:g} s")
    return Ping(State.ALIEN, reason.strerror or str(reason))


def _exchange(path: Path, timeout: float) -> bytes:
    deadline = time.monotonic() + timeout
    answer = bytearray()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        connection.sendall(_REQUEST)
        while len(answer) < _ANSWER_LIMIT:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(left)
            chunk = connection.recv(4096)
            if not chunk:
                break
            answer += chunk
    return bytes(answer)


def _parse(answer: bytes) -> Ping:
    head, _, _ = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    if not status.startswith("HTTP/1."):
        return Ping(State.ALIEN, "it closed the connection unanswered" if not answer else "it does not speak HTTP")
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    version = headers.get("api-version", "")
    code = status.split(" ")[1] if " " in status else ""
    if code != "200" or not version:
        return Ping(State.ALIEN, f"it answered {status!r} without an Api-Version")
    return Ping(State.ANSWERS, "", version)
