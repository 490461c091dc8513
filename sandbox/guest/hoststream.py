"""The host's two streams: messages in, messages out."""

from __future__ import annotations

import os

from sandbox.protocol import Decoder, Message, Seal, encode_head

_CHUNK = 1 << 16


class HostGone(Exception):
    """Whoever gave us the job has hung up."""


class HostStream:
    """Takes standard input and output for itself; the standard descriptors then lead nowhere.

    ``descriptor`` is what becomes readable when the host says something or hangs up.
    """

    def __init__(self) -> None:
        self.descriptor, self._sink = os.dup(0), os.dup(1)  # os.dup makes descriptors that exec closes
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, 0)
        os.dup2(nowhere, 1)
        self._decoder = Decoder()
        self._waiting: list[Message] = []
        self._seal: Seal | None = None

    def next(self) -> Message:
        """The next message, waited for. Raises ``HostGone`` and ``ProtocolError``."""
        while not self._waiting:
            self._waiting = self._read()
        return self._waiting.pop(0)

    def look(self) -> None:
        """Read what is there, for later, or learn that nobody is. Raises as ``next`` does."""
        self._waiting += self._read()

    def take(self, *, readable: bool) -> list[Message]:
        """All messages that are there; ``readable`` says that the descriptor is. Raises as ``next`` does."""
        found = self._waiting + (self._read() if readable else [])
        self._waiting = []
        return found

    def seal(self, key: str) -> None:
        """Seal with ``key`` whatever is written from now on."""
        from sandbox.seal import Sealer  # hashlib loads OpenSSL, which can wait until the worker is starting

        self._seal = Sealer(key)

    def write(self, message: Message) -> None:
        """Send a message. Raises ``BrokenPipeError`` when nobody listens."""
        for part in (encode_head(message, self._seal), message.blob):  # apart: a blob may be half a gigabyte
            data = memoryview(part)
            while data:
                data = data[os.write(self._sink, data) :]

    def _read(self) -> list[Message]:
        chunk = os.read(self.descriptor, _CHUNK)
        if not chunk:
            raise HostGone
        return self._decoder.feed(chunk)
