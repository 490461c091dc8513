"""Why an upload does not become a release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reason:
    """One reason: a stable rule, what is wrong with its next step, and where."""

    rule: str
    message: str
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The platform's published shape of a violation, with our rule."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "message": self.message,
            "severity": "error",
            "rule": self.rule,
        }

    @property
    def text(self) -> str:
        """As one line: the other published shape."""
        place = self.file or ""
        if self.line:
            place += f":{self.line}"
        return f"{place}: {self.message}" if place else self.message


@dataclass(eq=False)
class Refused(Exception):
    """The upload is the publisher's to mend; ``results`` are kept beside the reasons."""

    reasons: Sequence[Reason]
    results: Mapping[str, Any] = field(default_factory=dict)
