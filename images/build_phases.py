"""The named phases of a build: each cached or timed, with bytes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from toolchain.core.reporter import Phase, Reporter


@dataclass(frozen=True)
class PhaseResult:
    """How a phase went: ``seconds`` of wall clock, ``bytes`` moved or held, and whether all was at hand."""

    name: str
    seconds: float
    cached: bool
    bytes: int
    note: str = ""


class RunningPhase:
    """A phase under way; the worker sets what it knows."""

    def __init__(self, phase: Phase) -> None:
        self.cached = False
        self.bytes = 0
        self.note = ""
        self.advance = phase.advance

    def text(self, seconds: float) -> str:
        """What the phase's line says at its end."""
        parts = [self.note] if self.note else []
        if self.bytes:
            # Of a few files, or of next to no time, a rate would only be noise.
            measured = not self.cached and seconds >= 0.05 and self.bytes >= 1_000_000
            rate = f" ({self.bytes / 1e6 / seconds:.0f} MB/s)" if measured else ""
            size = f"{self.bytes / 1e6:.1f} MB" if self.bytes >= 100_000 else f"{self.bytes / 1e3:.1f} kB"
            parts.append(size + rate)
        if self.cached:
            parts.append("cached")
        return ", ".join(parts)


class Phases:
    """Runs phases under a reporter and keeps their results."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._results: list[PhaseResult] = []

    @property
    def results(self) -> tuple[PhaseResult, ...]:
        """The finished phases in order."""
        return tuple(self._results)

    @contextmanager
    def run(self, name: str) -> Iterator[RunningPhase]:
        """One phase."""
        import time

        started = time.monotonic()
        with self._reporter.phase(name) as shown:
            running = RunningPhase(shown)
            yield running
            seconds = time.monotonic() - started
            shown.result = running.text(seconds)
        self._results.append(PhaseResult(name, seconds, running.cached, running.bytes, running.note))
