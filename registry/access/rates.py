"""Token buckets: how often somebody may call."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict

from registry.errors import Refusal

_REMEMBERED = 10_000


class Rates:
    """A bucket for each name, in this process: ``burst`` calls at once, ``per_minute`` in the long run.

    Several servers beside each other each have their own; what they allow adds up.
    """

    def __init__(self, per_minute: int, burst: int) -> None:
        self._per_second = per_minute / 60
        self._burst = float(burst)
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, name: str, cost: float = 1.0) -> None:
        """Count a call. Raises a ``Refusal`` with 429 and ``Retry-After``."""
        moment = time.monotonic()
        with self._lock:
            left, since = self._buckets.pop(name, (self._burst, moment))
            left = min(self._burst, left + (moment - since) * self._per_second)
            allowed = left >= cost
            self._buckets[name] = (left - cost if allowed else left, moment)
            while len(self._buckets) > _REMEMBERED:
                self._buckets.popitem(last=False)
        if not allowed:
            wait = max(1, math.ceil((cost - left) / self._per_second))
            message = f"too many calls with this key or from this address; wait {wait} s"
            raise Refusal(429, "rate_limited", message, {"retry_after_seconds": wait}, {"Retry-After": str(wait)})
