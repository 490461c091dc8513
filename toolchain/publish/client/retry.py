"""When a request may be sent again, and how long to wait before."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Final

# The server says itself that it did nothing.
_REFUSED_UNSEEN: Final = frozenset({429, 503})
_MAYBE_DONE: Final = frozenset({500, 502, 504})


@dataclass(frozen=True)
class Retry:
    """How often and how patiently: ``attempts`` in all, waits in seconds, doubled each time up to ``longest``."""

    attempts: int = 5
    first: float = 0.5
    longest: float = 20.0
    patience: float = 120.0


class Attempts:
    """Counts the attempts of one request. ``repeat`` says that doing it twice does no harm."""

    def __init__(self, retry: Retry, sleep: Callable[[float], None] = time.sleep, *, repeat: bool) -> None:
        self._retry = retry
        self._sleep = sleep
        self._repeat = repeat
        self.made = 1

    def again(self, status: int, retry_after: str | None) -> bool:
        """Whether an answer of this status is worth another attempt; waits when it is."""
        if status in _REFUSED_UNSEEN or (status in _MAYBE_DONE and self._repeat):
            return self._wait(retry_after)
        return False

    def again_after(self, reason: Exception) -> bool:
        """Whether a broken connection is worth another attempt; waits when it is."""
        # Before a connection stands nothing was sent, whatever the request.
        unsent = type(reason).__name__ in {"ConnectError", "ConnectTimeout", "PoolTimeout"}
        return (self._repeat or unsent) and self._wait(None)

    def _wait(self, retry_after: str | None) -> bool:
        if self.made >= self._retry.attempts:
            return False
        told = seconds_of(retry_after)
        if told is not None and told > self._retry.patience:
            return False
        # Half fixed, half random: clients that failed together do not come back together.
        step = min(self._retry.longest, self._retry.first * 2 ** (self.made - 1))
        self._sleep(told if told is not None else step / 2 + random.uniform(0, step / 2))  # noqa: S311
        self.made += 1
        return True


def seconds_of(retry_after: str | None) -> float | None:
    """The wait that a ``Retry-After`` header asks for, in seconds: RFC 9110 allows a number and a date."""
    if not retry_after:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(retry_after)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    return max(0.0, (moment - datetime.now(timezone.utc)).total_seconds())
