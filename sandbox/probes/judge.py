"""Held against what was expected: which probes came out as they should. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.guest.probes.model import STILL_RUNNING, Probe
from sandbox.policy import Policy
from sandbox.probes.deviations import NOT_TRIED, deviation

_COUNTED = re.compile(r"(.+) after (\d+)")


@dataclass(frozen=True)
class Judged:
    """A probe with what was seen. ``reason`` says why something else than usual was expected."""

    probe: Probe
    expected: tuple[str, ...]
    seen: str
    holds: bool
    reason: str = ""

    @property
    def undecided(self) -> bool:
        """Whether the probe came to no end: that tells nothing of its wall."""
        return self.seen.startswith(STILL_RUNNING)

    def to_json(self) -> dict[str, Any]:
        """The probe as an item of ``data.probes``."""
        probe = self.probe
        return {
            **{name: getattr(probe, name) for name in ("id", "wall", "what", "why")},
            "expected": list(self.expected),
            "seen": self.seen,
            "holds": self.holds,
            "deviation": self.reason,
        }


def judge(
    probes: Iterable[Probe], outcomes: Mapping[str, str], policy: Policy, places: Iterable[str]
) -> tuple[Judged, ...]:
    """Every probe judged. One that has no outcome was not tried, which is never as expected."""
    return tuple(_judged(probe, outcomes.get(probe.id, NOT_TRIED), policy, tuple(places)) for probe in probes)


def _judged(probe: Probe, seen: str, policy: Policy, places: tuple[str, ...]) -> Judged:
    other = deviation(probe, places)
    expected = probe.expected if other is None else other.expected
    counted = _COUNTED.fullmatch(seen)
    word = counted[1] if counted else seen
    holds = word in expected and (other is not None or _within(probe, counted, policy))
    return Judged(probe, expected, seen, holds, other.reason if other else "")


def _within(probe: Probe, counted: re.Match[str] | None, policy: Policy) -> bool:
    """Whether the number in an outcome is within the limit that the probe names."""
    if probe.bound is None or counted is None:
        return True
    if probe.bound == "cpus":
        # In hundredths; the quota is dealt out in slices, hence up to half as much again.
        return int(counted[2]) <= policy.cpus * 150
    return 0 < int(counted[2]) <= int(getattr(policy, probe.bound))
