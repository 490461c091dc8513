"""Finds the sample rows that a test uses. The file is not parsed here: its content may be hostile."""

from __future__ import annotations

from pathlib import Path

from sandbox.conversation import Sample
from toolchain.core.errors import UsageFault

FORMATS = {".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".csv": "csv", ".parquet": "parquet"}
SIZE_LIMIT = 256 << 20
_DEFAULT_NAMES = tuple(f"samples{suffix}" for suffix in FORMATS)


def find_sample(given: Path | None, root: Path) -> Sample | None:
    """The sample file: ``given``, else the plugin's own ``samples.*``, else none.

    Raises ``UsageFault`` when it does not exist, is of an unknown type or too large.
    """
    path = given or next((root / name for name in _DEFAULT_NAMES if (root / name).is_file()), None)
    if path is None:
        return None
    if not path.is_file():
        raise UsageFault(
            "the sample file does not exist", where=str(path), remedy="correct the path given with --sample-data"
        )
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UsageFault(
            f"unsupported file type {path.suffix or '(none)'!r}",
            where=str(path),
            remedy=f"use one of {', '.join(FORMATS)}",
        )
    size = path.stat().st_size
    if size > SIZE_LIMIT:
        raise UsageFault(
            f"the sample file holds {size >> 20} MiB; at most {SIZE_LIMIT >> 20} are taken",
            where=str(path),
            remedy="take a part of the rows: samples show that the plugin works, not how it scales",
        )
    try:
        data = path.read_bytes()
    except OSError as reason:
        raise UsageFault(
            f"the sample file cannot be read: {reason.strerror}", where=str(path), remedy="check its permissions"
        ) from None
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
    return Sample(name, kind, data)
