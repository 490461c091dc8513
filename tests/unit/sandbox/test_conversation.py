"""What the host believes of a guest's supervisor, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.conversation import Greeting, Job, Listener, Sample
from sandbox.policy import Policy
from sandbox.protocol import Decoder, Message, encode
from sandbox.seal import Sealer
from toolchain.core.errors import ProtocolViolation

JOB = Job("plugin", "/plugin", ("describe", "tests"))


def report(stage: str, **changes: object) -> Message:
    body = {
        "stage": stage,
        "ended": "exited",
        "status": 0,
        "seconds": 0.5,
        "peak_memory_bytes": 1,
        "output": "",
        "output_bytes": 0,
        "progress": None,
        "violation": None,
        "tried": {},
        "result": {},
    }
    return Message("stage", {**body, **changes})


def started(stage: str) -> Message:
    return Message("started", {"stage": stage})


DONE = Message("done")
HONEST = (started("describe"), report("describe"), started("tests"), report("tests"), DONE)


def hear(*messages: Message) -> Listener:
    listener, seal = Listener(Policy(), JOB, lambda _: None), Sealer(JOB.key)
    for message in messages:
        listener.feed(encode(message, seal))
    return listener


WAITING = encode(Message("waiting", {"warm": True}))


def test_a_guest_that_waits_for_its_job():
    greeting = Greeting()
    greeting.feed(WAITING[:5])
    assert greeting.warm is None
    greeting.feed(WAITING[5:])
    assert greeting.warm is True


@pytest.mark.parametrize("warm", [False, 1, "true", None])
def test_a_guest_that_could_not_warm_up(warm):
    greeting = Greeting()
    greeting.feed(encode(Message("waiting", {"warm": warm})))
    assert greeting.warm is False


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encode(started("describe")), id="a message of a job"),
        pytest.param(encode(Message("waiting")), id="no word on the worker"),
        pytest.param(WAITING * 2, id="twice"),
        pytest.param(WAITING + b"\0", id="something more"),
        pytest.param(encode(Message("waiting", {"warm": True}, b"blob")), id="a blob"),
    ],
)
def test_what_is_no_greeting(data):
    with pytest.raises(ProtocolViolation):
        Greeting().feed(data)


def test_an_honest_conversation():
    heard: list[str] = []
    listener, seal = Listener(Policy(), JOB, heard.append), Sealer(JOB.key)
    for message in HONEST:
        listener.feed(encode(message, seal))
    assert heard == ["describe", "tests"]
    assert list(listener.transcript.stages) == ["describe", "tests"]
    assert listener.transcript.done


@pytest.mark.parametrize(
    "messages",
    [
        (DONE,),
        (started("tests"),),
        (started("samples"),),
        (started("describe"), started("tests")),
        (started("describe"), started("describe")),
        (report("describe"),),
        (started("describe"), report("tests")),
        (started("describe"), report("describe"), report("describe")),
        (started("describe"), report("describe"), DONE),
        (*HONEST, DONE),
        (*HONEST, started("describe")),
        (Message("hello"),),
        (Message("started"),),
        (Message("started", {"stage": ["describe"]}),),
        (started("describe"), report("describe", status="0")),
        (started("describe"), report("describe", status=True)),
        (started("describe"), report("describe", seconds=None)),
        (started("describe"), report("describe", result=[])),
        (started("describe"), report("describe", output=1)),
        (started("describe"), Message("stage", {"stage": "describe"})),
    ],
)
def test_anything_else_breaks_the_protocol(messages):
    with pytest.raises(ProtocolViolation):
        hear(*messages)


@given(st.lists(st.sampled_from([*HONEST, Message("other")]), max_size=8))
def test_no_order_but_the_honest_one_comes_to_an_end(messages):
    try:
        listener = hear(*messages)
    except ProtocolViolation:
        return
    assert listener.transcript.done == (tuple(messages) == HONEST)


def sealed(*messages: Message, key: str = JOB.key) -> list[bytes]:
    seal = Sealer(key)
    return [encode(message, seal) for message in messages]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param([encode(message) for message in HONEST], id="none"),
        pytest.param([encode(message, lambda _head: bytes(16)) for message in HONEST], id="invented"),
        pytest.param(sealed(*HONEST, key=Job("other", "/other").key), id="under another key"),
        pytest.param(sealed(*HONEST)[:1] * 2, id="a message again"),
        pytest.param([sealed(*HONEST)[0], *sealed(*HONEST)[2:]], id="a message left out"),
        pytest.param(
            [part.replace(b'"status": 0', b'"status": 1') for part in sealed(*HONEST)], id="a message changed"
        ),
        pytest.param([sealed(*HONEST)[0], encode(report("describe")), *sealed(*HONEST)[1:]], id="one put in"),
    ],
)
def test_a_message_without_its_seal_is_not_believed(data):
    listener = Listener(Policy(), JOB, lambda _: None)
    with pytest.raises(ProtocolViolation, match="process 1 did not send"):
        listener.feed(b"".join(data))
    assert not listener.transcript.done


def test_a_forged_head_is_seen_before_its_blob_comes():
    listener = Listener(Policy(), JOB, lambda _: None)
    forged = encode(Message("stage", {}, bytes(1000)), lambda _head: bytes(16))
    with pytest.raises(ProtocolViolation):
        listener.feed(forged[:-999])


def test_bytes_put_into_a_blob_end_the_conversation():
    blob = sealed(started("describe"), replace(report("describe"), blob=b"0123456789"), started("tests"))
    listener = Listener(Policy(), JOB, lambda _: None)
    with pytest.raises(ProtocolViolation):
        listener.feed(blob[0] + blob[1][:-5] + b"more" + blob[1][-5:] + blob[2])


def test_a_job_does_not_show_its_key():
    assert JOB.key not in repr(JOB)


def test_a_job_carries_its_limits_and_its_sample():
    policy = Policy(stage_seconds=3, output=10, result=20)
    job = Job("name", "/root", JOB.stages, sample=Sample("rows.csv", "csv", b"a,b"), seed="s")
    (message,) = Decoder().feed(encode(job.message(policy)))
    assert message.blob == b"a,b"
    assert message.body["limits"] == {
        "stage_seconds": 3,
        "clearing_seconds": 10,
        "output_bytes": 10,
        "result_bytes": 20,
    }
    assert message.body["sample"] == {"name": "rows.csv", "format": "csv"}


def test_seeds_cannot_be_guessed():
    assert len({Job("name", "/root").seed for _ in range(100)}) == 100
