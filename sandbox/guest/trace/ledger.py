"""What was tried, counted: each thing once, with its number of times, in a bounded amount of memory."""

from __future__ import annotations

import threading
from typing import Any

_KINDS_LIMIT = 200  # distinct things of one kind in one stage
_TEXT = 1_000


class Ledger:
    """Events of one stage at a time. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: dict[tuple[str, ...], dict[str, Any]] = {}
        self._distinct: dict[str, int] = {}
        self._left_out: dict[str, int] = {}

    def note(self, kind: str, subject: str, *, count: int = 1, **details: Any) -> None:
        """Count ``subject`` under ``kind``. Details stay those of the first time; beyond the limit only the
        number of what is left out grows."""
        key = (kind, subject[:_TEXT], *(str(details.get(name, "")) for name in ("answer", "file", "line")))
        with self._lock:
            event = self._events.get(key)
            if event is not None:
                event["count"] += count
            elif self._distinct.get(kind, 0) >= _KINDS_LIMIT:
                self._left_out[kind] = self._left_out.get(kind, 0) + count
            else:
                self._distinct[kind] = self._distinct.get(kind, 0) + 1
                self._events[key] = {"kind": kind, "subject": subject[:_TEXT], "count": count, **details}

    def known(self, kind: str) -> bool:
        """Whether more of a kind would only be counted, so that its details need not be read."""
        return self._distinct.get(kind, 0) >= _KINDS_LIMIT

    def take(self) -> dict[str, Any]:
        """Everything since the last time: ``events``, and ``left_out`` by kind."""
        with self._lock:
            taken = {"events": list(self._events.values()), "left_out": self._left_out}
            self._events, self._distinct, self._left_out = {}, {}, {}
        return taken
