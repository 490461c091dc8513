"""Turns what a plugin hands us into plain, bounded JSON values."""

from __future__ import annotations

import math
from typing import Any

_ITEMS = 500
_TEXT = 2_000
_DEPTH = 6


def plain(value: Any, depth: int = 0) -> Any:
    """``value`` as JSON: numbers, text, lists and objects as they are, all else as a short description."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return _scalar(value)
    if depth < _DEPTH and isinstance(value, dict):
        return {str(key)[:200]: plain(item, depth + 1) for key, item in list(value.items())[:_ITEMS]}
    if depth < _DEPTH and isinstance(value, (list, tuple)):
        return [plain(item, depth + 1) for item in list(value)[:_ITEMS]]
    return f"<{type(value).__name__}>"


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return str(value)[:_TEXT]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool):
        return value
    # Beyond 2**53 other readers of JSON lose digits, and beyond 4,300 digits Python itself refuses to print them.
    return int(value) if abs(value) < 1 << 53 else f"<a whole number of {value.bit_length()} bits>"
