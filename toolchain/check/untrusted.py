"""Reads fields of a guest's report, which may hold anything that JSON can."""

from __future__ import annotations

from typing import Any


def entries(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; nothing for what is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(value: Any) -> list[str]:
    """The text in a list; nothing for what is no list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def fields(value: Any) -> dict[str, Any]:
    """The value itself where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def text(value: Any, limit: int = 300) -> str:
    """The value where it is text, cut at ``limit``; else nothing."""
    return value[:limit] if isinstance(value, str) else ""


def message(value: Any, limit: int = 1_500) -> str:
    """Text for a finding; lines after the first are marked, so that none of them reads as ours."""
    return text(value, limit).strip().replace("\n", "\n  | ") or "no message"


def one_line(value: Any, limit: int = 300) -> str:
    """Text with every run of white space as one space."""
    return " ".join(text(value, limit).split())


def line_number(value: Any) -> int | None:
    """The value where it can be the number of a line."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def number(value: Any) -> float | None:
    """The value where it is a number."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
