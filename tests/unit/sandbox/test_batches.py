"""What a guest says of a batch is checked before it is used."""

from __future__ import annotations

import pytest

from sandbox.batches import BatchListener
from sandbox.conversation import Job
from sandbox.policy import Policy
from sandbox.protocol import Message, encode
from sandbox.seal import Sealer
from toolchain.core.errors import ProtocolViolation

ANSWER = {
    "number": 1,
    "slot": 0,
    "length": 10,
    "seconds": 0.5,
    "kept": False,
    "set_aside": [{"row": 3, "step": "S", "message": "no"}],
    "problems": [],
}


class Guest(BatchListener):
    """A listener that hears what its own process 1 says."""

    def __init__(self):
        job = Job("plugin", "/plugin", ("batches",))
        super().__init__(Policy(), job)
        self._sealer = Sealer(job.key)

    def says(self, *messages: Message) -> None:
        self.feed(b"".join(encode(message, self._sealer) for message in messages))


@pytest.fixture
def listener():
    made = Guest()
    made.says(Message("started", {"stage": "batches"}))
    return made


@pytest.fixture
def ready(listener):
    listener.says(Message("ready", {"shared": True}))
    return listener


def test_an_answer(ready):
    ready.says(Message("batch", ANSWER))
    (answer,) = ready.answers
    assert (answer.number, answer.slot, answer.length, answer.set_aside[0].row) == (1, 0, 10, 3)


@pytest.mark.parametrize(
    "change",
    [
        {"number": "1"},
        {"number": True},
        {"slot": 1.5},
        {"length": None},
        {"seconds": "soon"},
        {"set_aside": [{"row": 1}]},
        {"set_aside": {}},
        {"problems": ["no"]},
        {"problems": None},
    ],
)
def test_an_answer_of_another_shape(ready, change):
    with pytest.raises(ProtocolViolation):
        ready.says(Message("batch", {**ANSWER, **change}))


def test_an_answer_before_the_stage_is_ready(listener):
    with pytest.raises(ProtocolViolation):
        listener.says(Message("batch", ANSWER))


def test_more_answers_than_were_asked_for(ready):
    with pytest.raises(ProtocolViolation):
        ready.says(*[Message("batch", ANSWER)] * 3)


def test_ready_twice(ready):
    with pytest.raises(ProtocolViolation):
        ready.says(Message("ready", {"shared": True}))
