"""Reads what a stage's interpreter told of the plugin: bounded and checked, since the plugin can tell it too."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

_COUNT = 1 << 32
_LINE = 10_000_000


@dataclass(frozen=True)
class Claim:
    """One thing as ``sandbox.guest.trace.hook`` tells it; ``count`` is how often it is newly claimed."""

    kind: str
    subject: str
    count: int
    details: dict[str, Any]


def read_claim(data: bytes) -> Claim:
    """The claim in a datagram. Raises ``ValueError``, ``TypeError`` or ``RecursionError`` for no claim."""
    told = json.loads(data)
    if not isinstance(told, dict):
        raise TypeError("a claim is an object")
    kind, subject, count = told.get("kind"), told.get("subject"), told.get("count")
    if not isinstance(kind, str) or not isinstance(subject, str) or not isinstance(count, int):
        raise TypeError("a claim lacks what it must have")
    details: dict[str, Any] = {}
    file, line, arguments = told.get("file"), told.get("line"), told.get("arguments")
    if isinstance(file, str) and isinstance(line, int) and 0 < line < _LINE:
        details = {"file": file, "line": line}
    if isinstance(arguments, list) and all(isinstance(word, str) for word in arguments):
        details["arguments"] = arguments
    # The hook tells the first time, the second, the fourth, …: half has been told already.
    return Claim(kind[:40], subject, max(1, min(count - count // 2, _COUNT)), details)
