"""A stand-in for the platform's progress actor, whose methods are not documented."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

_KEPT = 1000


@dataclass(frozen=True)
class ActorCall:
    """One call that a processor made on its progress actor."""

    method: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


class LocalProgressActor:
    """Accepts any method by name, directly or as ``actor.method.remote(...)``, records it and returns None.

    The platform hands processors a Ray actor "for progress tracking" and says no more, so a processor may call
    whatever it likes and never fails for it. The last thousand calls are kept.
    """

    def __init__(self) -> None:
        """Start with no calls."""
        self._calls: deque[ActorCall] = deque(maxlen=_KEPT)

    @property
    def recorded_calls(self) -> tuple[ActorCall, ...]:
        """The calls so far, oldest first."""
        return tuple(self._calls)

    def __getattr__(self, name: str) -> _Method:
        """Answer any public name; special names stay missing, since copy and pickle ask for them."""
        if name.startswith("__") or name == "_calls":
            raise AttributeError(name)
        return _Method(name, self._calls)


class _Method:
    def __init__(self, name: str, calls: deque[ActorCall]) -> None:
        self._name = name
        self._calls = calls

    def __call__(self, *arguments: Any, **keywords: Any) -> None:
        self._calls.append(ActorCall(self._name, arguments, keywords))

    def remote(self, *arguments: Any, **keywords: Any) -> None:
        """Record the call as Ray's form of it."""
        self(*arguments, **keywords)

    def options(self, **_options: Any) -> _Method:
        """Ignore Ray's per-call options."""
        return self
