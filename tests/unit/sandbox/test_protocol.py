"""Frames: whole, split anywhere, and hostile."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.protocol import (
    BODY_LIMIT,
    DEPTH_LIMIT,
    HEADER,
    Decoder,
    Message,
    ProtocolError,
    encode,
    encode_head,
    printable,
)
from sandbox.seal import Sealer

plain_text = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf")), max_size=20)
scalars = st.none() | st.booleans() | plain_text | st.integers(-(2**53), 2**53) | st.floats(-1e300, 1e300)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(plain_text, inner), max_leaves=20)
bodies = st.dictionaries(plain_text.filter(lambda key: key != "type"), values, max_size=5)
messages = st.builds(Message, plain_text, bodies, st.binary(max_size=200))


def frame(body: bytes, blob: bytes = b"") -> bytes:
    return HEADER.pack(len(body), len(blob)) + body + blob


def decode(data: bytes) -> list[Message]:
    return Decoder().feed(data)


@pytest.mark.parametrize("key", [None, "00" * 32])
@given(sent=st.lists(messages, max_size=4), sizes=st.lists(st.integers(1, 30), min_size=1))
def test_messages_survive_the_way_however_they_are_split(key, sent, sizes):
    seal, expected = (Sealer(key), Sealer(key)) if key else (None, None)
    data = b"".join(encode(message, seal) for message in sent)
    decoder, received, position = Decoder(seal=expected), [], 0
    for turn in range(len(data)):
        size = sizes[turn % len(sizes)]
        received += decoder.feed(data[position : position + size])
        position += size
    assert received == sent
    assert decoder.pending == 0


@given(messages)
def test_the_head_and_the_blob_make_the_message(message):
    assert encode_head(message) + message.blob == encode(message)


@given(st.binary(max_size=300))
def test_any_bytes_give_messages_or_a_protocol_error(data):
    with suppress(ProtocolError):
        decode(data)


@given(values)
def test_any_json_gives_a_message_or_a_protocol_error(value):
    try:
        (message,) = decode(frame(json.dumps(value).encode()))
    except ProtocolError:
        return
    assert isinstance(message.type, str)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"type": 1}',
        b'{"type": "x", "a": NaN}',
        b'{"type": "x", "a": -Infinity}',
        b'{"type": "x", "a": 1e999}',
        b'{"type": "x", "a": 9223372036854775808}',
        b'{"type": "x", "a": ' + b"9" * 100_000 + b"}",
        b'{"type": "x", "a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"type": "x", "a": ' + b"[" * (DEPTH_LIMIT + 1) + b"]" * (DEPTH_LIMIT + 1) + b"}",
        b'{"type": "\xff"}',
    ],
)
def test_a_hostile_body_is_refused(body):
    with pytest.raises(ProtocolError):
        decode(frame(body))


@pytest.mark.parametrize(("body", "blob"), [(BODY_LIMIT + 1, 0), (2, 11), (2, 2**63), (2**32 - 1, 2**64 - 1)])
def test_a_length_over_the_limit_is_refused_before_its_bytes_come(body, blob):
    with pytest.raises(ProtocolError, match="over the limit"):
        Decoder(blob_limit=10).feed(HEADER.pack(body, blob))


def test_numbers_that_python_knows_and_json_does_not_are_not_sent():
    with pytest.raises(ValueError, match="not JSON compliant"):
        encode(Message("x", {"a": float("nan")}))


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("plain, ünïcode 日本 \U0001f600\n\tindented", "plain, ünïcode 日本 \U0001f600\n\tindented"),
        ("\x1b[2J\x1b[H", "\ufffd[2J\ufffd[H"),
        ("\u202egpj.exe\u2066", "\ufffdgpj.exe\ufffd"),
        ("\ud800", "\ufffd"),
        ("10%\r20%\r\nend", "10%\n20%\nend"),
        ("\x00\x7f\x9b", "\ufffd\ufffd\ufffd"),
    ],
)
def test_text_loses_what_steers_a_terminal(written, shown):
    assert printable(written) == shown
    (message,) = decode(frame(json.dumps({"type": "x", "told": {written: [written]}}).encode()))
    assert message.body == {"told": {shown: [shown]}}


@given(st.text(st.characters(codec=None)))
def test_printable_text_can_be_written_anywhere(text):
    shown = printable(text)
    shown.encode()
    assert printable(shown) == shown
