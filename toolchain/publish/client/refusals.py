"""Understands every published shape in which the platform says why it refuses.

Four are published for one and the same thing: ``violations`` with file, line and column; ``validation_errors``
with file, line and message; ``validation_errors`` as a list of texts; ``error`` with message, type and details.
Proxies and frameworks add their own ``detail``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

_LIMIT: Final = 200
_TEXT: Final = 500
_LISTS: Final = ("violations", "security_violations", "validation_errors", "errors")
_TYPES: Final = ("rule", "type")
_WORD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_MESSAGES: Final = ("message", "msg", "detail", "reason", "error")


@dataclass(frozen=True)
class Reason:
    """One reason: a message and, where the server says, the place, how bad it is, and of which kind.

    ``type`` is the server's own stable word for the kind: an error's ``type`` or a violation's ``rule``.
    """

    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None
    severity: str | None = None
    type: str | None = None

    def __str__(self) -> str:
        """``file:line:column: message (severity)``, as far as known."""
        numbers = [str(number) for number in (self.line, self.column) if number is not None]
        place = ":".join([self.file, *numbers]) + ": " if self.file else ""
        return f"{place}{self.message}" + (f" ({self.severity})" if self.severity else "")

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return vars(self)


def reasons_in(body: Any) -> list[Reason]:
    """The reasons in a decoded answer, in its order, each once; empty when it gives none."""
    found: dict[tuple[object, ...], Reason] = {}
    for reason in _walk(body, 0):
        # Told twice, with and without its type, it is one reason: the first has more to say.
        found.setdefault((reason.message, reason.file, reason.line, reason.column), reason)
        if len(found) >= _LIMIT:
            break
    listed = list(found.values())
    placed = [reason for reason in listed if reason.file is not None]
    # With places at hand, the sentence above them only repeats.
    return placed or listed


def _walk(body: Any, depth: int) -> Iterator[Reason]:
    if isinstance(body, str):
        if text := body.strip():
            yield Reason(text[:_TEXT])
    elif isinstance(body, list):
        for item in body[:_LIMIT]:
            yield from _walk(item, depth)
    elif isinstance(body, dict) and depth < 4:
        yield from _object(body, depth)


def _object(body: dict[str, Any], depth: int) -> Iterator[Reason]:
    for key in _LISTS:
        if body.get(key):
            yield from _walk(body[key], depth + 1)
    for key in ("error", "detail", "details"):
        if isinstance(body.get(key), (dict, list)):
            yield from _walk(body[key], depth + 1)
    message = next((body[key] for key in _MESSAGES if isinstance(body.get(key), str) and body[key].strip()), None)
    if message is not None:
        yield _reason(body, message)


def _reason(body: dict[str, Any], message: str) -> Reason:
    file = next((body[key] for key in ("file", "filename", "path") if isinstance(body.get(key), str)), None)
    location = body.get("loc")
    if file is None and isinstance(location, list):  # how FastAPI names a field
        file = ".".join(str(part) for part in location[:8])
    severity = body.get("severity")
    return Reason(
        message.strip()[:_TEXT],
        file[:_TEXT] if file else None,
        _number(body.get("line", body.get("lineno"))),
        _number(body.get("column", body.get("col"))),
        severity[:40] if isinstance(severity, str) else None,
        next((body[key] for key in _TYPES if isinstance(body.get(key), str) and _WORD.fullmatch(body[key])), None),
    )


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
