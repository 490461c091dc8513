"""What a scan is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolchain.core.findings import Finding, Severity

CLASSES = {
    "P": "process or shell",
    "E": "dynamic code",
    "N": "network socket",
    "M": "raw memory or native code",
    "I": "dynamic import",
    "D": "unsafe deserialisation",
    "R": "introspection to the built-ins",
    "F": "file access",
    "S": "interpreter state",
    "U": "cannot be judged",
    "T": "misleading text",
}


@dataclass(frozen=True)
class Limits:
    """Bounds of one scan: counts, bytes and seconds."""

    files: int = 20_000
    file_bytes: int = 8 << 20
    total_bytes: int = 1 << 30
    nesting: int = 3
    line_length: int = 20_000
    file_seconds: float = 20.0
    total_seconds: float = 300.0
    worker_memory: int = 3 << 30


@dataclass(frozen=True)
class ScanOptions:
    """How to scan. ``workers`` 0 means one for each processor, two at most; ``baseline`` is the reviewer's."""

    strict: bool = False
    use_bandit: bool = True
    workers: int = 0
    cache: Path | None = None
    baseline: Path | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class ScanFinding:
    """One construct: its class of power, canonical name, how it was reached, and what to do instead."""

    rule: str
    power: str
    level: str
    name: str
    message: str
    remedy: str
    file: str
    line: int = 1
    column: int = 0
    trail: tuple[str, ...] = ()
    source: str = ""
    tools: tuple[str, ...] = ("mixpeek",)
    suppressed: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The finding as plain data; ``class`` is the letter of its power."""
        return {
            "rule": self.rule,
            "class": self.power,
            "level": self.level,
            "name": self.name,
            "message": self.message,
            "remedy": self.remedy,
            "file": self.file,
            "line": self.line,
            "column": self.column + 1,
            "trail": list(self.trail),
            "source": self.source,
            "tools": list(self.tools),
            "suppressed": self.suppressed,
        }

    def as_finding(self) -> Finding:
        """The finding as every other check of the toolchain reports its own."""
        severity = Severity.ERROR if self.level == "forbidden" else Severity.WARNING
        severity = Severity.NOTE if self.suppressed else severity
        return Finding(severity, f"scan.{self.rule}", self.message, self.remedy, self.file, self.line)


@dataclass(frozen=True)
class Item:
    """One file of the inventory: what its content is, whether it can carry code, size in bytes and SHA-256."""

    name: str
    kind: str
    carries_code: bool
    size: int
    digest: str

    def to_json(self) -> dict[str, Any]:
        """The item as plain data."""
        return {
            "name": self.name,
            "kind": self.kind,
            "carries_code": self.carries_code,
            "size": self.size,
            "sha256": self.digest,
        }


@dataclass(frozen=True)
class ScanResult:
    """The answer. ``digest`` binds the content, ``rules`` the rule set; ``passed`` is the verdict."""

    findings: tuple[ScanFinding, ...]
    inventory: tuple[Item, ...]
    rules_digest: str
    rules_version: int
    content_digest: str
    strict: bool
    stats: dict[str, Any]

    @property
    def active(self) -> tuple[ScanFinding, ...]:
        """The findings that no baseline covers."""
        return tuple(finding for finding in self.findings if finding.suppressed is None)

    @property
    def passed(self) -> bool:
        """Whether nothing forbidden was found; under the strict list a warning fails as well."""
        bad = {"forbidden", "warned"} if self.strict else {"forbidden"}
        return not any(finding.level in bad for finding in self.active)

    def to_json(self) -> dict[str, Any]:
        """The result as plain data."""
        return {
            "schema": "mixpeek.scan/1",
            "passed": self.passed,
            "strict": self.strict,
            "rules": {"version": self.rules_version, "sha256": self.rules_digest},
            "content_sha256": self.content_digest,
            "findings": [finding.to_json() for finding in self.findings],
            "inventory": [item.to_json() for item in self.inventory],
            "stats": self.stats,
        }
