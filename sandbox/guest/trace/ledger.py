"""What was tried, counted: each thing once, with its number of times, in a bounded amount of memory."""

from __future__ import annotations

import json
import threading
from typing import Any

# Distinct things of one kind in one stage; kinds, of which a plugin that speaks to us itself may invent some;
# characters of a text; and bytes of all together, a quarter of what a message may hold.
_OF_ONE_KIND = 50
_KINDS = 30
_TEXT = 400
_WORDS = 800
_BYTES = 2 << 20

LET_THROUGH = "let through to the kernel"
"""The ``answer`` to a call that was not refused; what came of it the kernel alone knows."""


class Ledger:
    """Events of one stage at a time. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clear()

    def note(self, kind: str, subject: str, *, count: int = 1, **details: Any) -> None:
        """Count ``subject`` under ``kind``. Details stay those of the first time; beyond the limits only the
        number of what is left out grows."""
        key = (
            kind,
            subject[:_TEXT],
            *(str(details.get(name, "")) for name in ("answer", "file", "line", "arguments")),
        )
        with self._lock:
            if key in self._events:
                self._events[key]["count"] += count
                return
            event = {"kind": kind, "subject": subject[:_TEXT], "count": count, **_short(details)}
            size = len(json.dumps(event))
            if self._has_room(kind, size):
                self._distinct[kind] = self._distinct.get(kind, 0) + 1
                self._bytes += size
                self._events[key] = event
            else:
                kind = kind if kind in self._distinct else "other"
                self._left_out[kind] = self._left_out.get(kind, 0) + count

    def take(self) -> dict[str, Any]:
        """Everything since the last time: ``events``, and ``left_out`` by kind."""
        with self._lock:
            taken = {"events": list(self._events.values()), "left_out": self._left_out}
            self._clear()
        return taken

    def _clear(self) -> None:
        self._events: dict[tuple[str, ...], dict[str, Any]] = {}
        self._distinct: dict[str, int] = {}
        self._left_out: dict[str, int] = {}
        self._bytes = 0

    def _has_room(self, kind: str, size: int) -> bool:
        if kind not in self._distinct and len(self._distinct) >= _KINDS:
            return False
        return self._distinct.get(kind, 0) < _OF_ONE_KIND and self._bytes + size <= _BYTES


def _short(details: dict[str, Any]) -> dict[str, Any]:
    """Details cut to what a report shows."""
    short = {name: value[:_TEXT] if isinstance(value, str) else value for name, value in details.items()}
    if "arguments" in short:
        words: list[str] = []
        left = _WORDS
        for word in short["arguments"]:
            words.append(word[:left])
            left -= len(words[-1])
            if left <= 0:
                break
        short["arguments"] = words
    return short
