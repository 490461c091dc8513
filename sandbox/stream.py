"""The attached stream of a container: raw bytes in, multiplexed frames out."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from toolchain.core.containers import ContainerEngine, engine_errors

_HEADER = struct.Struct("!BxxxI")
_STDOUT = 1
_CHUNK = 1 << 18


class AttachedStream:
    """Standard input, output and error of one container over one hijacked connection.

    Frames are as in the Docker Engine API, "Attach to a container": a stream number, three zero bytes, a length.
    """

    def __init__(self, engine: ContainerEngine, container: str) -> None:
        parameters = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        with engine_errors("attach to the container"):
            self._outer = engine.client.api.attach_socket(container, params=parameters)
        # A unix or TCP socket comes wrapped for reading only; the ssh transport's object does both.
        self._socket: Any = getattr(self._outer, "_sock", self._outer)
        self._buffer = bytearray()

    def send(self, data: bytes, deadline: float) -> None:
        """Write everything, as far as somebody reads: the engine is asked later how a guest that is gone ended.

        ``deadline`` is on the monotonic clock; passing it raises ``TimeoutError``.
        """
        self._socket.settimeout(max(deadline - time.monotonic(), 0.001))
        with suppress(ConnectionError):
            self._socket.sendall(data)

    def chunks(self, deadline: float) -> Iterator[tuple[bool, bytes]]:
        """``(is_stdout, bytes)`` until the stream ends; whoever stops listening may go on with another call.

        ``deadline`` is on the monotonic clock; passing it raises ``TimeoutError``. A connection that breaks ends
        the stream: the caller asks the engine what happened.
        """
        while True:
            yield from self._frames()
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            try:
                data = self._socket.recv(_CHUNK)
            except TimeoutError:
                raise
            except OSError:
                return
            if not data:
                return
            self._buffer += data

    def close(self) -> None:
        """Hang up; the guest reads end-of-file."""
        with suppress(OSError):
            self._socket.close()
        with suppress(OSError, AttributeError):
            self._outer.close()

    def _frames(self) -> Iterator[tuple[bool, bytes]]:
        while len(self._buffer) >= _HEADER.size:
            stream, length = _HEADER.unpack_from(self._buffer)
            if len(self._buffer) < _HEADER.size + length:
                return
            payload = bytes(self._buffer[_HEADER.size : _HEADER.size + length])
            del self._buffer[: _HEADER.size + length]
            yield stream == _STDOUT, payload
