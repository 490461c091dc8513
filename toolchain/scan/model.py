"""What a scan is asked and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from toolchain.core.findings import Finding, Severity
from toolchain.core.sealed import SealedPlace

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


FailOn = Literal["forbidden", "warned", "never"]


@dataclass(frozen=True)
class Limits:
    """Bounds of one scan: counts, bytes and seconds.

    ``text_bytes`` is the most of one source that is parsed, ``source_bytes`` of all sources together;
    ``file_bytes`` and ``total_bytes`` are what is read at all, unpacked. Past ``ratio_floor`` bytes an archive
    may not unpack to more than ``ratio`` times its size. ``nesting`` counts archives in archives, ``depth``
    folders.
    """

    files: int = 20_000
    text_bytes: int = 8 << 20
    source_bytes: int = 256 << 20
    file_bytes: int = 512 << 20
    total_bytes: int = 2 << 30
    nesting: int = 3
    depth: int = 64
    ratio: int = 100
    ratio_floor: int = 64 << 20
    line_length: int = 20_000
    file_seconds: float = 20.0
    total_seconds: float = 300.0
    worker_memory: int = 3 << 30


@dataclass(frozen=True)
class ScanOptions:
    """How to scan.

    Of a folder, ``packed_only`` reads what an archive would hold; otherwise what the plugin's own
    ``.mixpeekignore`` leaves out is read as well, because a reviewer may have the folder and no archive.
    ``fail_on`` ``None`` means forbidden findings, and warnings as well under ``strict``. ``workers`` 0 means one
    for each processor, two at most; ``baseline`` is the reviewer's.
    """

    strict: bool = False
    fail_on: FailOn | None = None
    packed_only: bool = False
    use_bandit: bool = True
    workers: int = 0
    cache: SealedPlace | None = None
    baseline: Path | None = None
    limits: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class ScanFinding:
    """One construct: its class of power, canonical name, how it was reached, and what to do instead.

    ``line`` counts from 1, ``column`` from 0. ``source`` is the line itself; ``context`` the lines around it, of
    which the first is ``context_line``. ``tools`` are those that found it, ``suppressed`` says who accepted it.
    """

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
    context: tuple[str, ...] = ()
    context_line: int = 1
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
class Declared:
    """What a plugin says of itself: name, version, requirement lines as written, and what it asks to reach."""

    name: str | None = None
    version: str | None = None
    dependencies: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The declaration as plain data."""
        return {
            "name": self.name,
            "version": self.version,
            "dependencies": list(self.dependencies),
            "permissions": list(self.permissions),
        }


@dataclass(frozen=True)
class ScanResult:
    """The answer; ``passed`` is the verdict.

    ``content_digest`` binds everything that was read, ``code_digest`` what of it can carry code, ``rules_digest``
    the rule set. ``left_out`` are folders and files that are never packed and were not read.
    """

    findings: tuple[ScanFinding, ...]
    inventory: tuple[Item, ...]
    rules_digest: str
    rules_version: int
    content_digest: str
    code_digest: str
    strict: bool
    fail_on: FailOn
    declared: Declared
    left_out: tuple[str, ...]
    stats: dict[str, Any]

    @property
    def active(self) -> tuple[ScanFinding, ...]:
        """The findings that no baseline covers."""
        return tuple(finding for finding in self.findings if finding.suppressed is None)

    @property
    def passed(self) -> bool:
        """Whether nothing was found that fails, beside what a reviewer accepted."""
        bad = {"forbidden": {"forbidden"}, "warned": {"forbidden", "warned"}, "never": set[str]()}[self.fail_on]
        return not any(finding.level in bad for finding in self.active)

    def to_json(self) -> dict[str, Any]:
        """The result as plain data."""
        return {
            "schema": "mixpeek.scan/1",
            "passed": self.passed,
            "strict": self.strict,
            "fail_on": self.fail_on,
            "rules": {"version": self.rules_version, "sha256": self.rules_digest},
            "content_sha256": self.content_digest,
            "code_sha256": self.code_digest,
            "declared": self.declared.to_json(),
            "left_out": list(self.left_out),
            "findings": [finding.to_json() for finding in self.findings],
            "inventory": [item.to_json() for item in self.inventory],
            "stats": self.stats,
        }
