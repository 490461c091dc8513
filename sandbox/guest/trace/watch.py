"""Process 1's watch over a worker: takes the listener over, checks, and answers until the worker is gone."""

from __future__ import annotations

import base64
import errno
import json
import os
import select
import socket
import struct
import sys
import threading
from dataclasses import dataclass, field
from typing import Any

from sandbox.guest.trace import kernel
from sandbox.guest.trace.answers import Answers
from sandbox.guest.trace.confined import faults, own_filters
from sandbox.guest.trace.kernel import FilterRefused
from sandbox.guest.trace.ledger import Ledger

_START_SECONDS = 60.0  # an interpreter's start on a cold disk
_PROGRAM_LIMIT = 8 * 4096  # the most instructions that the kernel takes, eight bytes each
_GO = b"go"


class Watch:
    """One worker's watch, in a thread of its own. ``ready`` tells when the worker is confined."""

    def __init__(self, plan: dict[str, Any], link: socket.socket, worker: int, ledger: Ledger) -> None:
        self._plan = plan
        self._link = link
        self._worker = worker
        self._ledger = ledger
        self._settled = threading.Event()
        self._failure: str | None = "its watch ended before it was looked over"
        threading.Thread(target=self._run, name="watch", daemon=True).start()

    def ready(self) -> None:
        """Wait until the worker is under the filter and found to be. Raises ``FilterRefused``."""
        self._settled.wait()
        if self._failure is not None:
            raise FilterRefused(self._failure)

    def _run(self) -> None:
        try:
            with self._link:
                listener = self._take_over()
            self._failure = None
        except (OSError, ValueError, KeyError, FilterRefused) as reason:
            self._failure = str(reason)
            return
        finally:
            self._settled.set()
        try:
            self._serve(listener)
        except BaseException as failure:  # noqa: BLE001 - whatever it is
            # Calls that nobody answers wait for ever: without its watch the container has to end.
            sys.excepthook(type(failure), failure, failure.__traceback__)
            os._exit(70)
        finally:
            os.close(listener)

    def _take_over(self) -> int:
        """Fetch the listener, look the worker over, and let it go on."""
        self._link.settimeout(_START_SECONDS)
        self._link.send(base64.b64decode(self._plan["program"]))
        said = self._link.recv(4096)
        if not said:
            raise FilterRefused("the worker ended before it was confined")
        word = json.loads(said)
        if "failure" in word:
            raise FilterRefused(str(word["failure"]))
        listener = kernel.fetch(self._worker, word["listener"])
        try:
            if found := faults(self._worker, own_filters() + 1):
                raise FilterRefused("; ".join(found[:5]))
            self._link.send(_GO)
        except BaseException:
            os.close(listener)
            raise
        return listener

    def _serve(self, listener: int) -> None:
        answers = Answers(self._plan, listener, self._worker, self._ledger)
        ready = select.poll()
        ready.register(listener, select.POLLIN)
        while True:
            for _, events in ready.poll():
                if not events & select.POLLIN:
                    return  # nobody is left under the filter
                call = kernel.receive(listener)
                if call is not None:
                    self._answer(answers, listener, call)

    def _answer(self, answers: Answers, listener: int, call: kernel.Notification) -> None:
        try:
            answers.give(call)
        except (OSError, ValueError, OverflowError, struct.error) as reason:
            self._ledger.note("unanswered", f"call {call.number}: {reason}", answer="refused")
            kernel.refuse(listener, call, errno.EPERM)


@dataclass(frozen=True)
class Watching:
    """How workers are watched: ``plan`` as ``sandbox.trace.inner`` writes it, ``None`` to watch nothing, and where
    it is written down what the kernel tells and what the interpreter."""

    plan: dict[str, Any] | None
    observed: Ledger = field(default_factory=Ledger)
    claimed: Ledger = field(default_factory=Ledger)

    @property
    def places(self) -> dict[str, Any] | None:
        """What the hook in a stage's interpreter needs of the plan."""
        return None if self.plan is None else {name: self.plan[name] for name in ("quiet", "sensitive")}

    def over(self, worker: int, link: socket.socket) -> Watch | None:
        """A watch over a worker that waits at the other end of ``link``; without a filter it is told to go on."""
        if self.plan is not None and self.plan["program"] is not None:
            return Watch(self.plan, link, worker, self.observed)
        with link:
            link.send(_GO)
        return None

    def take(self) -> dict[str, Any]:
        """All that was written down since the last time."""
        return {"observed": self.observed.take(), "claimed": self.claimed.take()}


def confine(descriptor: int) -> None:
    """In the worker: install the filter, hand the listener over, and wait to be looked over.

    Ends the process when that fails: nothing of a plugin or its dependencies may run without it.
    """
    with socket.socket(fileno=descriptor) as link:
        program = link.recv(_PROGRAM_LIMIT)
        if program == _GO:
            return
        try:
            listener = kernel.install(program)
        except (FilterRefused, OSError, AttributeError) as reason:
            link.send(json.dumps({"failure": str(reason)}).encode())
            os._exit(70)
        link.send(json.dumps({"listener": listener}).encode())
        if link.recv(len(_GO)) != _GO:
            os._exit(70)
        os.close(listener)
