"""How host and guest speak: framed messages over any byte stream, standard library only.

A frame is a 12-byte header (length of the body, u32; length of the blob, u64; both big-endian), a JSON body
``{"type": …, …}``, from process 1 to the host a seal of 16 bytes, and a blob of raw bytes (Arrow data, a sample
file). Both sides treat what they read as
untrusted: lengths are checked before anything is stored, and what comes out of a body can be printed, compared and
written as JSON again without surprises. A body that is not an object with a text ``type``, nests deeply or holds a
number that other readers would not take is refused; text loses what could steer a terminal.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

HEADER = struct.Struct("!IQ")
BODY_LIMIT = 8 << 20
BLOB_LIMIT = 1 << 30
DEPTH_LIMIT = 40
SEAL_BYTES = 16

# The statuses that process 1 leaves with when the next stage would not begin on clean ground.
STILL_RUNNING_STATUS = 75
NOT_EMPTIED_STATUS = 76

STAGES = ("describe", "tests", "samples", "realtime")
"""The parts of a job, in the order in which they run."""


class ProtocolError(Exception):
    """The other side sent something that is not a message."""


@dataclass(frozen=True)
class Message:
    """One message: what it is, its JSON fields, and raw bytes beside them."""

    type: str
    body: dict[str, Any] = field(default_factory=dict)
    blob: bytes = b""


Seal = Callable[[bytes], bytes]
"""Gives the seal of the next head that travels in one direction; ``sandbox.seal`` makes one."""


def encode(message: Message, seal: Seal | None = None) -> bytes:
    """The message as it travels."""
    return encode_head(message, seal) + message.blob


def encode_head(message: Message, seal: Seal | None = None) -> bytes:
    """The message as it travels up to its blob, for senders that would rather not copy that."""
    body = json.dumps({**message.body, "type": message.type}, allow_nan=False).encode()
    head = HEADER.pack(len(body), len(message.blob)) + body
    return head + seal(head) if seal is not None else head


class Decoder:
    """Turns a stream of chunks into messages, holding at most one message's bytes.

    ``blob_limit`` is in bytes. With a ``seal`` every message must carry the one that it gives. ``feed`` raises
    ``ProtocolError`` as soon as a header, a seal or a body is not acceptable; after that the stream cannot be
    trusted any more.
    """

    def __init__(self, blob_limit: int = BLOB_LIMIT, seal: Seal | None = None) -> None:
        self._blob_limit = blob_limit
        self._seal = seal
        self._buffer = bytearray()
        # The fields of the message that is coming in, where its blob begins and where it ends.
        self._head: tuple[dict[str, Any], int, int] | None = None

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that ``chunk`` completes."""
        self._buffer += chunk
        messages = []
        while (message := self._take()) is not None:
            messages.append(message)
        return messages

    @property
    def pending(self) -> int:
        """Bytes of a message that has not arrived whole."""
        return len(self._buffer)

    def _take(self) -> Message | None:
        # Before the blob is there: a forged head must not make us wait for one that never comes.
        self._head = self._head or self._take_head()
        if self._head is None:
            return None
        fields, begin, end = self._head
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as view:
            blob = bytes(view[begin:end])
        del self._buffer[:end]
        self._head = None
        return Message(fields.pop("type"), fields, blob)

    def _take_head(self) -> tuple[dict[str, Any], int, int] | None:
        if len(self._buffer) < HEADER.size:
            return None
        body_length, blob_length = HEADER.unpack_from(self._buffer)
        if body_length > BODY_LIMIT or blob_length > self._blob_limit:
            raise ProtocolError(f"a message of {body_length} + {blob_length} bytes is over the limit")
        sealed = HEADER.size + body_length
        begin = sealed + (SEAL_BYTES if self._seal is not None else 0)
        if len(self._buffer) < begin:
            return None
        head = bytes(self._buffer[:sealed])
        # The first wrong seal ends the conversation, so how long the comparison takes tells nobody anything.
        if self._seal is not None and self._seal(head) != self._buffer[sealed:begin]:
            raise ProtocolError("a message that process 1 did not send")
        return _parse(head[HEADER.size :]), begin, begin + blob_length


def _parse(body: bytes) -> dict[str, Any]:
    try:
        fields = _harmless(json.loads(body, parse_constant=_refuse_constant), 0)
    except (ValueError, RecursionError) as reason:
        raise ProtocolError(f"a message is not JSON: {reason}") from None
    if not isinstance(fields, dict) or not isinstance(fields.get("type"), str):
        raise ProtocolError("a message has no type")
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# Everything that is no plain text: controls but tab and newline, lone surrogates, and what reverses the direction
# of writing.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """``text`` with U+FFFD for every character that a terminal would obey or that UTF-8 cannot hold.

    A carriage return, which progress bars print to write over their line, becomes a new line.
    """
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def _harmless(value: Any, depth: int) -> Any:
    """A parsed value whose text is printable. Raises ``ValueError`` for depth and numbers beyond all need."""
    if depth > DEPTH_LIMIT:
        raise ValueError(f"it nests deeper than {DEPTH_LIMIT} levels")
    if isinstance(value, dict):
        return {printable(key): _harmless(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_harmless(item, depth + 1) for item in value]
    if isinstance(value, str):
        return printable(value)
    # 1e999 is JSON and becomes infinity; whole numbers beyond 64 bits overflow in arithmetic with floats.
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("it holds an infinite number")
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise ValueError("it holds a whole number beyond 64 bits")
    return value
