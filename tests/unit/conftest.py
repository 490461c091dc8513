"""Unit tests start no program and connect to nothing: whoever tries fails here, not on another machine."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import NoReturn

import pytest


class Forbidden(AssertionError):
    """A unit test wanted to leave its process."""


@pytest.fixture(autouse=True)
def confined(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make starting processes and connecting to other machines raise; sockets of this one stay possible."""

    def refuse(*arguments: object, **options: object) -> NoReturn:
        raise Forbidden(f"a unit test must not start a process or connect: {arguments!r}")

    def connect(self: socket.socket, address: object) -> None:
        if self.family != socket.AF_UNIX and address[0] not in {"127.0.0.1", "::1"}:  # type: ignore[index]
            refuse(address)
        real_connect(self, address)  # type: ignore[arg-type]

    real_connect = socket.socket.connect
    for name in ("fork", "forkpty", "posix_spawn", "posix_spawnp", "system", "popen"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    monkeypatch.setattr(socket.socket, "connect", connect)
