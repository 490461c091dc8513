"""What is known of a release, and whose word it is: one table, the same for the publisher and the reviewer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any


class Standing(str, Enum):
    """``CLAIMED``: the publisher's word, signed or not. ``REVERIFIED``: we found the same ourselves, or found it
    alone. ``DIFFERS``: we found something else. ``NOT_CHECKED``: nobody claimed it, or we could not look."""

    CLAIMED = "claimed"
    REVERIFIED = "re-verified"
    DIFFERS = "differs"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Fact:
    """One line of the table: what it is about, what was claimed, what we found, and a remark."""

    name: str
    standing: Standing
    claimed: str | None = None
    found: str | None = None
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """The line as the API gives it."""
        return {
            "fact": self.name,
            "standing": self.standing.value,
            "claimed": self.claimed,
            "found": self.found,
            "note": self.note,
        }


def compared(name: str, claimed: object, found: object, note: str = "") -> Fact:
    """A fact that we found ourselves, beside what was claimed of it (``None``: nothing was)."""
    told = None if claimed is None else str(claimed)
    same = told is None or told == str(found)
    standing = Standing.REVERIFIED if same else Standing.DIFFERS
    return Fact(name, standing, told, str(found), note)
