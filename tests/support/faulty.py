"""Stands before a server and breaks connections as told; what it lets pass, it passes unchanged."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_ANSWERS = {
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "503": b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
}


@dataclass
class FaultyProxy:
    """``mode`` is ``pass``, ``500``, ``503``, ``slow`` (half a second late) or ``closed``."""

    target: tuple[str, int]
    listener: socket.socket
    mode: str = "pass"
    _open: list[socket.socket] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def set(self, mode: str) -> None:
        """Change the mode; connections that are open are cut, so that none escapes it."""
        self.mode = mode
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._open.clear()

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._handle, args=(client,), daemon=True).start()

    def _handle(self, client: socket.socket) -> None:
        with client, suppress(OSError):
            if self.mode == "slow":
                time.sleep(0.5)
            if self.mode == "closed":
                return
            if self.mode in _ANSWERS:
                client.recv(1 << 16)
                client.sendall(_ANSWERS[self.mode])
                return
            with socket.create_connection(self.target) as server:
                self._open += [client, server]
                back = threading.Thread(target=_copy, args=(server, client), daemon=True)
                back.start()
                _copy(client, server)
                back.join(30)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def faulty_proxy(host: str, port: int) -> Iterator[FaultyProxy]:
    """A proxy before ``host:port`` for as long as the context lasts."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = FaultyProxy((host, port), listener)
        threading.Thread(target=proxy.serve, daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.set("closed")
            listener.shutdown(socket.SHUT_RDWR)
