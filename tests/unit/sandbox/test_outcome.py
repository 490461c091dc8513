"""The classifier's table: every ambiguous case, and its order."""

from __future__ import annotations

import pytest

from sandbox.conversation import Transcript
from sandbox.outcome import Ending, EngineFacts, classify


def facts(**changes: object) -> EngineFacts:
    known = {
        "engine": "docker 1",
        "image_id": "sha256:1",
        "exit_code": 0,
        "out_of_memory": False,
        "timed_out": False,
        "seconds": 1.0,
        "confinement": {},
    }
    return EngineFacts(**{**known, **changes})  # type: ignore[arg-type]


RAN = Transcript(started=["describe"])
DONE = Transcript(started=["describe"], done=True)
NOTHING = Transcript(diagnostics="a\nno such interpreter\n")


@pytest.mark.parametrize(
    ("transcript", "known", "violation", "ending"),
    [
        (DONE, {}, None, Ending.COMPLETED),
        (DONE, {"out_of_memory": True}, None, Ending.COMPLETED),
        (DONE, {"exit_code": 1}, None, Ending.DIED),
        (DONE, {"exit_code": None}, None, Ending.UNAVAILABLE),
        (DONE, {"timed_out": True, "exit_code": 137}, None, Ending.TIMEOUT),
        (DONE, {}, "it lied", Ending.VIOLATION),
        (RAN, {}, None, Ending.DIED),
        (RAN, {"exit_code": 137}, None, Ending.UNAVAILABLE),
        (RAN, {"exit_code": 159}, None, Ending.DIED),
        (RAN, {"exit_code": 137, "out_of_memory": True}, None, Ending.MEMORY),
        (RAN, {"exit_code": 137, "out_of_memory": True, "timed_out": True}, None, Ending.TIMEOUT),
        (RAN, {"exit_code": 137, "timed_out": True}, "it lied", Ending.VIOLATION),
        (RAN, {"exit_code": None}, None, Ending.UNAVAILABLE),
        (RAN, {"exit_code": 75}, None, Ending.UNAVAILABLE),
        (DONE, {"exit_code": 75}, None, Ending.UNAVAILABLE),
        (RAN, {"exit_code": 75, "out_of_memory": True}, None, Ending.UNAVAILABLE),
        (RAN, {"exit_code": 76}, None, Ending.SCRATCH),
        (RAN, {"exit_code": 76, "timed_out": True}, None, Ending.TIMEOUT),
        (NOTHING, {"exit_code": 76}, None, Ending.UNAVAILABLE),
        (NOTHING, {"exit_code": 127}, None, Ending.UNAVAILABLE),
        (NOTHING, {"exit_code": 137, "timed_out": True}, None, Ending.UNAVAILABLE),
        (NOTHING, {"exit_code": 137, "out_of_memory": True}, None, Ending.MEMORY),
        (NOTHING, {}, None, Ending.UNAVAILABLE),
        (NOTHING, {}, "garbage", Ending.UNAVAILABLE),
    ],
)
def test_the_ending(transcript, known, violation, ending):
    found, reason = classify(transcript, facts(**known), violation)
    assert found is ending
    assert reason


def test_who_ended_before_the_plugin_ran_says_why():
    _, reason = classify(NOTHING, facts(exit_code=127), None)
    assert reason == "the guest ended with status 127 before the plugin ran: no such interpreter"


def test_only_a_complete_clean_run_is_completed():
    for done in (True, False):
        for code in (0, 1, 137, None):
            transcript = Transcript(started=["describe"], done=done)
            ending, _ = classify(transcript, facts(exit_code=code), None)
            assert (ending is Ending.COMPLETED) == (done and code == 0)
