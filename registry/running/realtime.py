"""A plugin's realtime handler behind calls: each gets a sandbox of its own that was started before it came."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import replace
from typing import Any

from registry.errors import Refusal, unavailable
from registry.running.images import Runnable
from sandbox.conversation import Sample, StageReport
from sandbox.outcome import Ending, SandboxOutcome
from sandbox.policy import Policy
from sandbox.session import Session
from toolchain.core.containers import ContainerEngine
from toolchain.core.errors import MixpeekError

_CALL_SECONDS = 30.0
# A session that waits ends by itself at its own deadline: it is replaced long before.
_LIFE_SECONDS = 3_600.0
_WAITING_SECONDS = 1_200.0
POLICY = replace(Policy(), stage_seconds=_CALL_SECONDS, wall_seconds=_LIFE_SECONDS)


class RealtimeService:
    """Answers calls for one release. ``spare`` sessions wait, ``most`` calls run at once.

    A session serves one call and is removed: what one caller sent, no other caller's answer can hold.
    """

    def __init__(self, engine: ContainerEngine, runnable: Runnable, *, spare: int = 1, most: int = 4) -> None:
        self._engine, self._runnable = engine, runnable
        self._spare, self._places = spare, threading.BoundedSemaphore(most)
        self._lock = threading.Lock()
        self._waiting: deque[tuple[Session, float]] = deque()
        self._fillers: set[threading.Thread] = set()
        self._closed = False

    def warm(self) -> None:
        """Start the sessions that are to wait. Raises ``EngineUnavailable`` and its kin."""
        while True:
            with self._lock:
                if self._closed or len(self._waiting) >= self._spare:
                    return
            session = self._started()
            with self._lock:
                keep = not self._closed
                if keep:
                    self._waiting.append((session, time.monotonic()))
            if not keep:
                session.__exit__(None, None, None)
                return

    def call(self, request: dict[str, Any]) -> dict[str, Any]:
        """What ``predict`` made of ``request``. Raises a ``Refusal``: 422 the plugin failed, 503 we did."""
        if not self._places.acquire(timeout=1):
            raise unavailable("every sandbox of this plugin is busy; call again", 1)
        try:
            outcome = self._run(request)
        except MixpeekError as reason:
            raise unavailable(f"the sandbox could not be had: {reason.message}") from None
        finally:
            self._places.release()
            self._refill()
        return _answer(outcome)

    def probe(self, sample: Sample) -> None:
        """Call the handler with the plugin's own first sample row. Raises as ``call``."""
        _answer(self._run_sample(sample))
        self._refill()

    def close(self) -> None:
        """Remove every session."""
        with self._lock:
            self._closed = True
            waiting, self._waiting = list(self._waiting), deque()
            fillers = list(self._fillers)
        for filler in fillers:
            filler.join(60)
        for session, _ in waiting:
            session.__exit__(None, None, None)
        self._engine.close()

    def _run(self, request: dict[str, Any]) -> SandboxOutcome:
        return self._run_sample(Sample("request.json", "json", json.dumps([request]).encode()))

    def _run_sample(self, sample: Sample) -> SandboxOutcome:
        session = self._taken() or self._started()
        try:
            return session.run(self._runnable.job(("realtime",), sample))
        finally:
            session.__exit__(None, None, None)

    def _started(self) -> Session:
        session = Session(self._engine, self._runnable.image, POLICY)
        return session.__enter__()

    def _taken(self) -> Session | None:
        while True:
            with self._lock:
                if not self._waiting:
                    return None
                session, since = self._waiting.popleft()
            if time.monotonic() - since < _WAITING_SECONDS:
                return session
            session.__exit__(None, None, None)

    def _refill(self) -> None:
        def fill() -> None:
            with suppress(MixpeekError):  # the next call starts its own, and says what is wrong
                self.warm()
            with self._lock:
                self._fillers.discard(threading.current_thread())

        filler = threading.Thread(target=fill, name="pre-warm a sandbox", daemon=True)
        with self._lock:
            if self._closed:
                return
            self._fillers.add(filler)
        filler.start()


def _answer(outcome: SandboxOutcome) -> dict[str, Any]:
    report = outcome.transcript.stages.get("realtime")
    if outcome.ending is Ending.UNAVAILABLE:
        raise unavailable(f"the sandbox failed before the plugin ran: {outcome.reason}")
    if report is None or report.result is None:
        raise _failed(_ended(outcome, report))
    result = report.result
    response = result.get("response")
    problems = result.get("problems")
    if isinstance(problems, list) and problems:
        first = problems[0] if isinstance(problems[0], dict) else {}
        place = f" ({first.get('file')}:{first.get('line')})" if first.get("file") else ""
        raise _failed(f"{first.get('message', 'the handler failed')}{place}")
    if not isinstance(response, dict) or response.get("kind") != "dict":
        raise _failed("predict did not return a dict")
    values, vectors = response.get("values"), response.get("vectors")
    return {**(values if isinstance(values, dict) else {}), **(vectors if isinstance(vectors, dict) else {})}


def _ended(outcome: SandboxOutcome, report: StageReport | None) -> str:
    if report is not None and report.ended == "deadline":
        return f"predict did not answer within {_CALL_SECONDS:g} s"
    return f"the handler ended without an answer: {outcome.reason if report is None else report.ended}"


def _failed(message: str) -> Refusal:
    return Refusal(422, "plugin_failed", message[:2_000])
