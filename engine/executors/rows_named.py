"""How rows are named in messages."""

from __future__ import annotations

from collections.abc import Sequence

_SHOWN = 5


def name_rows(rows: Sequence[int], document_ids: Sequence[str | None] = ()) -> str:
    """Return ``row 7 (document_id 'd7')``, ``rows 3 to 9`` or ``rows 1, 4, 8 and 20 more``."""
    if not rows:
        return "no row"
    if len(rows) == 1:
        document_id = document_ids[0] if document_ids else None
        return f"row {rows[0]}" + (f" (document_id {document_id!r})" if document_id is not None else "")
    if list(rows) == list(range(rows[0], rows[-1] + 1)):
        return f"rows {rows[0]} to {rows[-1]}"
    shown = ", ".join(str(row) for row in rows[:_SHOWN])
    rest = len(rows) - _SHOWN
    return f"rows {shown}" + (f" and {rest} more" if rest > 0 else "")
