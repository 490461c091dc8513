"""A registry that cannot be reached is not asked again for a day; any other refusal is not remembered."""

import pytest

from images import engine_calls
from images.base import source as subject
from images.base.model import Wanted
from toolchain.core.containers.faults import engine_refusal
from toolchain.core.errors import EngineDiskFull, EngineRefused, RegistryUnreachable

UNREACHABLE = [
    'Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host',
    'Get "https://registry.example/v2/": request canceled (Client.Timeout exceeded awaiting headers)',
    'Get "https://registry.example/v2/": EOF',
    "pinging container registry docker.io: dial tcp 1.2.3.4:443: connect: network is unreachable",
    "nothing came for 30 s",
]
ANSWERED = [
    "write /var/lib/docker/tmp/x: no space left on device",
    "toomanyrequests: You have reached your pull rate limit",
    "manifest for python:3.11 not found: manifest unknown",
]


@pytest.fixture
def engine_says(monkeypatch):
    """The words with which the engine refuses a pull, and the pulls that were asked for."""

    def say(words):
        asked = []

        def post(_engine, call):
            asked.append(call.path)
            raise engine_refusal(call.doing, words)

        monkeypatch.setattr(engine_calls, "_post", post)
        return asked

    return say


def ask(connection, cache):
    with pytest.raises(EngineRefused) as caught:
        subject._asked(connection, cache, Wanted(None, "amd64"))
    return caught.value


@pytest.mark.parametrize("words", UNREACHABLE)
def test_an_unreachable_registry_is_remembered(connection, cache, engine_says, words):
    asked = engine_says(words)
    assert isinstance(ask(connection, cache), RegistryUnreachable)
    assert "in the last day" in ask(connection, cache).message
    assert len(asked) == 1


@pytest.mark.parametrize("words", ANSWERED)
def test_another_refusal_is_not(connection, cache, engine_says, words):
    asked = engine_says(words)
    first, second = ask(connection, cache), ask(connection, cache)
    assert first.message == second.message
    assert isinstance(first, EngineDiskFull) == ("space" in words)
    assert len(asked) == 2
