"""The values that checks take and give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from toolchain.core.containers import ContainerEngine
from toolchain.core.errors import MixpeekError
from toolchain.core.findings import Finding, Severity


class Status(str, Enum):
    """How a check went: ``ERROR`` is something needed that is missing, ``UNKNOWN`` was not probed."""

    OK = "ok"
    NOTE = "note"
    WARNING = "warning"
    UNKNOWN = "unknown"
    ERROR = "error"


_SEVERITIES = {
    Status.NOTE: Severity.NOTE,
    Status.WARNING: Severity.WARNING,
    Status.UNKNOWN: Severity.UNKNOWN,
    Status.ERROR: Severity.ERROR,
}


@dataclass(frozen=True)
class Check:
    """One thing looked at: a stable ``name`` (``memory-limit``), how it went, what was seen, what to do about it.

    ``remedy`` is empty when there is nothing to do.
    """

    name: str
    status: Status
    detail: str
    remedy: str = ""

    def to_json(self) -> dict[str, str]:
        """The check as an item of ``data.checks``."""
        return {"name": self.name, "status": self.status.value, "detail": self.detail, "remedy": self.remedy}

    def to_finding(self) -> Finding | None:
        """The check as a finding; ``None`` when it passed."""
        if self.status is Status.OK:
            return None
        remedy = self.remedy or "nothing has to be done"
        return Finding(_SEVERITIES[self.status], f"doctor.{self.name}", self.detail, remedy)


def ok(name: str, detail: str) -> Check:
    """A check that passed."""
    return Check(name, Status.OK, detail)


@dataclass(frozen=True)
class Surroundings:
    """What the checks look at, gathered once.

    ``engine`` is ``None`` when none answers; ``fault`` then says why. ``info`` is the engine's own description of
    itself (Docker API, GET /info). ``base_image`` is the id of the CPU base image or ``None`` while there is none;
    ``base_current`` whether this version made it.
    """

    environment: Mapping[str, str]
    cache: Path
    engine: ContainerEngine | None = None
    fault: MixpeekError | None = None
    info: Mapping[str, Any] = field(default_factory=dict)
    base_image: str | None = None
    base_current: bool = True
    base_detail: str = ""
    index_url: str | None = None
