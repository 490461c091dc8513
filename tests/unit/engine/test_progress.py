"""The stand-in for the platform's progress actor."""

import copy
import pickle

from engine.executors.progress import LocalProgressActor


def test_any_method_in_any_form_is_recorded_and_returns_none():
    actor = LocalProgressActor()
    assert actor.increment(1) is None
    assert actor.set_total.remote(total=9) is None
    assert [(call.method, call.arguments, call.keywords) for call in actor.recorded_calls] == [
        ("increment", (1,), {}),
        ("set_total", (), {"total": 9}),
    ]


def test_only_the_last_thousand_calls_are_kept():
    actor = LocalProgressActor()
    for number in range(1500):
        actor.step(number)
    assert [call.arguments[0] for call in actor.recorded_calls] == list(range(500, 1500))


def test_it_can_be_copied_and_pickled():
    actor = LocalProgressActor()
    actor.step(1)
    for twin in (copy.deepcopy(actor), pickle.loads(pickle.dumps(actor))):
        twin.step(2)
        assert len(twin.recorded_calls) == 2
    assert len(actor.recorded_calls) == 1
