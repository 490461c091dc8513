"""Results of scans, made without scanning."""

from __future__ import annotations

from toolchain.scan import Item, ScanFinding, ScanResult
from toolchain.scan.model import Declared


def finding(name: str = "os.system", file: str = "core.py", line: int = 3, **changes: object) -> ScanFinding:
    """A forbidden call, changed in some fields."""
    fields: dict[str, object] = {
        "rule": "process.os",
        "power": "P",
        "level": "forbidden",
        "message": f"{name} (process or shell)",
        "remedy": "remove the process call",
        "column": 4,
        "trail": ("line 1: import os",),
        "source": f'    {name}("id")',
        "context": ("def run():", f'    {name}("id")', "    return 1"),
        "context_line": 2,
    }
    return ScanFinding(name=name, file=file, line=line, **(fields | changes))  # type: ignore[arg-type]


def result(*findings: ScanFinding, files: tuple[str, ...] = ("core.py",), **changes: object) -> ScanResult:
    """A result with these findings."""
    fields: dict[str, object] = {
        "rules_digest": "a" * 64,
        "rules_version": 1,
        "content_digest": "b" * 64,
        "code_digest": "c" * 64,
        "strict": False,
        "fail_on": "forbidden",
        "declared": Declared("example", "1.0.0", ("numpy>=2",), ("hosts: api.example.com:443",)),
        "left_out": (),
        "stats": {"files": len(files), "python_files": 1, "lines": 4, "seconds": 0.1, "cached": False},
    }
    inventory = tuple(Item(name, "python", True, 10, name.encode().hex().ljust(64, "0")) for name in files)
    return ScanResult(findings, inventory, **(fields | changes))  # type: ignore[arg-type]
