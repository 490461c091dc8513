"""The child's side of ``toolchain.scan.pool``: one request, limits of its own, and an answer for each file.

stdin is one JSON line (limits, roots, which files to judge) and the sources of the whole tree; stdout is one JSON
line before and one after each file, so that a child that dies names the file it died on.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


class TooSlow(BaseException):
    """Raised by the clock wherever the judge is: no ``except Exception`` may take it for its own."""


@dataclass(frozen=True)
class Request:
    """What to judge of which sources; ``seconds`` is the processor time that one file may take."""

    judge: tuple[str, ...]
    sources: dict[str, bytes]
    roots: tuple[str, ...]
    seconds: float


def receive() -> Request:
    """Read the request and live within its limits from then on."""
    stream = sys.stdin.buffer
    head = json.loads(stream.readline())
    memory = head["memory"] + sum(head["sizes"].values()) * 4
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sources = {name: stream.read(size) for name, size in head["sizes"].items()}
    warnings.simplefilter("ignore")
    sys.setrecursionlimit(6000)  # long honest expressions nest past 1,000
    signal.signal(signal.SIGPROF, _stop)  # processor time: a busy machine says nothing about the file
    return Request(tuple(head["judge"]), sources, tuple(head["roots"]), head["seconds"])


def answer_each(request: Request, judge: Callable[[str, bytes], dict[str, Any]]) -> None:
    """Judge each file within its time and tell of it; ``judge`` turns ``TooSlow`` into an answer."""
    for name in request.judge:
        _say({"start": name})
        signal.setitimer(signal.ITIMER_PROF, request.seconds)
        try:
            _say(judge(name, request.sources[name]))
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)


def _stop(_number: int, _frame: object) -> None:
    raise TooSlow


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()
