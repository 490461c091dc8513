"""Whose container is it? Only those of this machine's dead processes are removed."""

from __future__ import annotations

import os
from types import SimpleNamespace

import docker.errors
import pytest

from sandbox.leftovers import KIND, OWNER_HOST, OWNER_PROCESS, SANDBOX, ownership, remove_leftovers
from toolchain.core.errors import EngineUnavailable


class Api:
    def __init__(self, *labels, error=None):
        self.present = {f"id{number}": label for number, label in enumerate(labels)}
        self.error = error

    def containers(self, **options):
        assert options == {"all": True, "filters": {"label": f"{KIND}={SANDBOX}"}}
        return [{"Id": name, "Labels": labels} for name, labels in self.present.items()]

    def remove_container(self, name, **options):
        if self.error:
            raise self.error
        assert options == {"force": True, "v": True}
        del self.present[name]

    def inspect_container(self, name):
        raise docker.errors.NotFound(name)


def engine(api):
    return SimpleNamespace(client=SimpleNamespace(api=api))


DEAD = {OWNER_PROCESS: "4194305:1"}  # one more than the most that a Linux process id can be


@pytest.mark.parametrize(
    ("changes", "removed"),
    [
        ({}, False),
        (DEAD, True),
        ({OWNER_PROCESS: f"{os.getpid()}:1"}, True),  # the number was given to another process since
        ({**DEAD, OWNER_HOST: "elsewhere"}, False),
        ({OWNER_PROCESS: ""}, True),
        ({OWNER_PROCESS: "nonsense"}, True),
    ],
)
def test_what_is_removed(changes, removed):
    api = Api({**ownership(), **changes})
    told = [(one.id, one.problem) for one in remove_leftovers(engine(api))]
    assert told == ([("id0", "")] if removed else [])
    assert api.present.keys() == (set() if removed else {"id0"})


def test_a_container_without_labels_is_left_alone():
    assert remove_leftovers(engine(Api(None))) == []


def test_one_that_somebody_else_removes_first_is_no_error():
    api = Api({**ownership(), **DEAD}, error=docker.errors.NotFound("gone"))
    assert remove_leftovers(engine(api)) == []


def test_one_that_stays_is_told_with_the_engine_s_reason():
    api = Api({**ownership(), **DEAD}, error=docker.errors.APIError("device busy"))
    api.inspect_container = lambda _: {}
    (left,) = remove_leftovers(engine(api))
    assert (left.id, left.process) == ("id0", "4194305")
    assert "device busy" in left.problem


def test_an_engine_that_is_gone_is_told():
    api = Api()
    api.containers = lambda **_: (_ for _ in ()).throw(ConnectionRefusedError("nobody"))
    with pytest.raises(EngineUnavailable, match="list earlier sandboxes"):
        remove_leftovers(engine(api))
