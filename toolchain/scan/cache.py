"""Results by content digest and rule digest."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from toolchain.scan.model import ScanFinding


def cached(folder: Path | None, key: str) -> list[ScanFinding] | None:
    """What an earlier scan of the same content with the same rules found."""
    if folder is None:
        return None
    with suppress(OSError, ValueError, TypeError):
        items = json.loads((folder / f"{key}.json").read_bytes())
        return [
            ScanFinding(**{**item, "trail": tuple(item["trail"]), "tools": tuple(item["tools"])}) for item in items
        ]
    return None


def remember(folder: Path | None, key: str, findings: list[ScanFinding]) -> None:
    """Keep the findings; a cache that cannot be written costs time only."""
    if folder is None:
        return
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{key}.{os.getpid()}"
        fields = ScanFinding.__dataclass_fields__
        temporary.write_text(json.dumps([{name: getattr(f, name) for name in fields} for f in findings]))
        temporary.replace(folder / f"{key}.json")
