"""Sizes and counts in words: one rule for progress lines, tables and pages."""

from __future__ import annotations


def shown_bytes(size: float) -> str:
    """``0 bytes``, ``1.2 kB``, ``1.2 MB``, ``1.2 GB``: decimal units, one digit after the point."""
    if size < 1000:
        return f"{size:.0f} byte{'' if size == 1 else 's'}"
    for unit in ("kB", "MB"):
        size /= 1000
        if size < 999.95:
            return f"{size:.1f} {unit}"
    return f"{size / 1000:.1f} GB"


def counted(count: int, noun: str) -> str:
    """``1 file``, ``1,216 files``."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
