"""What the host believes of a guest's supervisor, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.conversation import Job, Listener, Sample
from sandbox.policy import Policy
from sandbox.protocol import Decoder, Message, encode
from toolchain.core.errors import ProtocolViolation

STAGES = ("describe", "tests")


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
    listener = Listener(Policy(), STAGES, lambda _: None)
    for message in messages:
        listener.feed(encode(message))
    return listener


def test_an_honest_conversation():
    heard: list[str] = []
    listener = Listener(Policy(), STAGES, heard.append)
    for message in HONEST:
        listener.feed(encode(message))
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


def test_a_job_carries_its_limits_and_its_sample():
    policy = Policy(stage_seconds=3, output=10, result=20)
    job = Job("name", "/root", STAGES, sample=Sample("rows.csv", "csv", b"a,b"), seed="s")
    (message,) = Decoder().feed(encode(job.message(policy)))
    assert message.blob == b"a,b"
    assert message.body["limits"] == {"stage_seconds": 3, "output_bytes": 10, "result_bytes": 20}
    assert message.body["sample"] == {"name": "rows.csv", "format": "csv"}


def test_seeds_cannot_be_guessed():
    assert len({Job("name", "/root").seed for _ in range(100)}) == 100
