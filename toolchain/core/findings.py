"""What a check has to say about a plugin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Severity(str, Enum):
    """``ERROR`` fails a verdict; ``UNKNOWN`` means a check could not be made and also denies a pass."""

    ERROR = "error"
    UNKNOWN = "unknown"
    WARNING = "warning"
    NOTE = "note"


_ORDER = {severity: position for position, severity in enumerate(Severity)}


@dataclass(frozen=True)
class Finding:
    """One problem with its place and its remedy.

    ``rule`` is a stable dotted id (``schemas.feature-key``); ``file`` is relative to the plugin's folder with
    ``/``; ``line`` counts from 1.
    """

    severity: Severity
    rule: str
    message: str
    remedy: str
    file: str | None = None
    line: int | None = None

    def to_json(self) -> dict[str, Any]:
        """The finding as the ``findings`` items of the output schema."""
        return {
            "severity": self.severity.value,
            "rule": self.rule,
            "message": self.message,
            "remedy": self.remedy,
            "file": self.file,
            "line": self.line,
        }


def error(rule: str, message: str, remedy: str, *, file: str | None = None, line: int | None = None) -> Finding:
    """A finding that fails the verdict."""
    return Finding(Severity.ERROR, rule, message, remedy, file, line)


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Worst first, then by place; exact repetitions are dropped."""
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda f: (_ORDER[f.severity], f.file or "", f.line or 0, f.rule, f.message)))
