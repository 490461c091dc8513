"""Token buckets."""

from __future__ import annotations

import pytest

from registry.access import Rates
from registry.access import rates as module
from registry.errors import Refusal


@pytest.fixture
def clock(monkeypatch):
    moments = [1_000.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: moments[0])
    return moments


def test_a_burst_passes_and_then_the_pace_holds(clock):
    rates = Rates(per_minute=60, burst=3)
    for _ in range(3):
        rates.take("key")
    with pytest.raises(Refusal) as refused:
        rates.take("key")
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "1")
    rates.take("another key")
    clock[0] += 1.01
    rates.take("key")
    with pytest.raises(Refusal):
        rates.take("key")


def test_what_it_remembers_is_bounded(clock):
    rates = Rates(per_minute=60, burst=1)
    for number in range(module._REMEMBERED + 10):
        rates.take(str(number))
    assert len(rates._buckets) == module._REMEMBERED
