"""Tables for people: columns as wide as their widest cell."""

from __future__ import annotations

from collections.abc import Sequence


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The header and the rows as lines, indented by two."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (header, *rows)
    ]


def pairs(entries: Sequence[tuple[str, object]]) -> list[str]:
    """Names and values in two columns; entries without a value are left out."""
    told = [(name, str(value)) for name, value in entries if value not in (None, "", [])]
    width = max((len(name) for name, _ in told), default=0)
    return [f"  {name:<{width}}  {value}" for name, value in told]
