"""A file of a kept archive, as a reviewer reads it."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO

from registry.assembly import Registry
from registry.database.models import Release
from registry.storage import KeptArchive, StorageFault, fetch_kept
from registry.texts import clean
from toolchain.core.digests import sha256_bytes
from toolchain.core.sizes import shown_bytes
from toolchain.publish.archive import ArchiveLimits, read_archive

_MOST = 512 << 10
_MOST_LINES = 20_000


@dataclass(frozen=True)
class Line:
    """A line of a file: its number from 1, its text, and the level of what our scan found there."""

    number: int
    text: str
    level: str


@dataclass(frozen=True)
class Listing:
    """A file's lines, or why they are not shown; ``replaced`` when characters that could mislead were replaced."""

    lines: list[Line]
    why_not: str | None = None
    replaced: bool = False


def listing(
    registry: Registry, release: Release, member: tuple[str, int, str], findings: list[dict[str, Any]]
) -> Listing:
    """The lines of a member, which is name, size in bytes and SHA-256. Raises ``StorageFault``."""
    name, size, digest = member
    if size > _MOST:
        return Listing([], f"it has {shown_bytes(size)}; at most {shown_bytes(_MOST)} are shown")
    data = _content(registry, release, name)
    if sha256_bytes(data) != digest:
        raise StorageFault("the archive holds another file than was read from it")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Listing([], "it is not text in UTF-8")
    if "\0" in text:
        return Listing([], "it is not text")
    # Lines end as the interpreter and the scan have it, or the marks would stand elsewhere.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    shown = clean(text)
    if text.count("\n") > _MOST_LINES:
        return Listing([], f"it has more than {_MOST_LINES:,} lines")
    levels: dict[int, str] = {}
    for finding in sorted(findings, key=lambda finding: finding["level"] == "forbidden"):
        levels[finding["line"]] = finding["level"]  # of several the worst
    lines = [Line(number, line, levels.get(number, "")) for number, line in enumerate(shown.split("\n"), 1)]
    return Listing(lines, None, shown != text)


def _content(registry: Registry, release: Release, wanted: str) -> bytes:
    limits = registry.settings.limits
    bounds = ArchiveLimits(limits.archive_bytes, limits.extracted_bytes, limits.files)
    kept = KeptArchive(release.archive_key, release.archive_sha256, release.archive_bytes)
    found = io.BytesIO()
    with (
        TemporaryDirectory(prefix="review-", dir=registry.settings.data / "scratch") as folder,
        Path(os.devnull).open("wb") as nowhere,
    ):

        @contextmanager
        def place(name: str, _executable: bool) -> Iterator[BinaryIO]:
            yield found if name == wanted else nowhere

        read_archive(fetch_kept(registry.storage, kept, Path(folder) / "archive"), bounds, place)
    return found.getvalue()
