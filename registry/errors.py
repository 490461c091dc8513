"""What the API refuses, in the contract's envelope: a status, a stable type, a sentence and the next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)  # not frozen: contextlib sets a traceback on what passes through it
class Refusal(Exception):
    """An answer that is no success.

    ``type`` is stable and programs may match it; ``message`` says what, where and the next step; ``details`` hold
    what a program wants to know of it.
    """

    status: int
    type: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The contract's error envelope."""
        error = {"message": self.message, "type": self.type, "details": dict(self.details)}
        return {"success": False, "status": self.status, "error": error}


def unauthorized(message: str) -> Refusal:
    """Nobody we know."""
    return Refusal(401, "unauthorized", message, headers={"WWW-Authenticate": "Bearer"})


def forbidden(message: str, **details: Any) -> Refusal:
    """Somebody we know who may not."""
    return Refusal(403, "forbidden", message, details)


def not_found(what: str, next_step: str) -> Refusal:
    """Not there, or not in this namespace: one answer for both, so that ids cannot be guessed.

    ``details`` repeat ``what`` is missing, for whoever tells it in other words.
    """
    return Refusal(404, "not_found", f"{what} was not found in this namespace; {next_step}", {"what": what})


def conflict(message: str, **details: Any) -> Refusal:
    """What was asked contradicts what is."""
    return Refusal(409, "conflict", message, details)


def invalid(message: str, **details: Any) -> Refusal:
    """The request cannot be carried out as it stands."""
    return Refusal(400, "invalid_request", message, details)


def unavailable(message: str, retry_after: int = 5) -> Refusal:
    """Something we need does not answer; nothing was changed and the same call may be made again."""
    headers = {"Retry-After": str(retry_after)}
    return Refusal(503, "unavailable", message, {"retry_after_seconds": retry_after}, headers)
