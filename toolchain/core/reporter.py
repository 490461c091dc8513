"""How long work says what it is doing: an injected listener, silent by default."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Protocol, TextIO


@dataclass
class Phase:
    """One named step under way. The worker sets ``result`` ("cached", "12.3 MB") and calls ``advance``."""

    name: str
    result: str = ""
    seconds: float = 0.0
    ok: bool = False

    def advance(self, message: str) -> None:
        """Say how far the phase has come; shown only on a terminal."""


class Reporter(Protocol):
    """The listener that library calls accept."""

    def phase(self, name: str) -> AbstractContextManager[Phase]:
        """A context in which ``name`` is under way."""
        ...

    def say(self, message: str) -> None:
        """One line of talk."""
        ...


class SilentReporter:
    """The default: phases are timed but nothing is shown."""

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Time a phase."""
        yield from _timed(Phase(name))

    def say(self, message: str) -> None:
        """Nothing."""


class StreamReporter:
    """Talks to a stream, one line a finished phase; on a terminal the running phase is shown too."""

    def __init__(self, stream: TextIO | None = None, clean: Callable[[str], str] = str) -> None:
        """``clean`` makes a text fit for a terminal: names and messages in it may be a stranger's."""
        self._clean = clean
        self._stream = stream if stream is not None else sys.stderr
        self._live = self._stream.isatty()

    @contextmanager
    def phase(self, name: str) -> Iterator[Phase]:
        """Show a phase: its name while it runs, then a mark, its duration and its result."""
        phase = _LivePhase(name, self._show if self._live else None)
        phase.advance("")
        try:
            yield from _timed(phase)
        finally:
            mark = "ok  " if phase.ok else "FAIL"
            tail = f"  {phase.result}" if phase.result else ""
            self._line(f"  {mark} {name:<14} {phase.seconds:7.2f} s{tail}")

    def say(self, message: str) -> None:
        """One line."""
        self._line(message)

    def _line(self, text: str) -> None:
        self._stream.write(("\r\x1b[K" if self._live else "") + self._clean(text) + "\n")
        self._stream.flush()

    def _show(self, text: str) -> None:
        self._stream.write(f"\r\x1b[K  ...  {self._clean(text)}")
        self._stream.flush()


class _LivePhase(Phase):
    def __init__(self, name: str, show: Callable[[str], None] | None) -> None:
        super().__init__(name)
        self._show = show

    def advance(self, message: str) -> None:
        if self._show is not None:
            self._show(f"{self.name} {message}".rstrip())


def _timed(phase: Phase) -> Iterator[Phase]:
    started = time.monotonic()
    try:
        yield phase
        phase.ok = True
    finally:
        phase.seconds = time.monotonic() - started
