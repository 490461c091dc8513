"""A file of a kept archive, as a reviewer reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from registry.releases.contents import SMALL
from registry.storage import StorageFault
from toolchain.core.digests import sha256_bytes
from toolchain.core.sizes import shown_bytes
from toolchain.core.visible import visible

_MOST_LINES = 20_000


@dataclass(frozen=True)
class Line:
    """A line of a file: its number from 1, its text, and the level of what our scan found there."""

    number: int
    text: str
    level: str


@dataclass(frozen=True)
class Listing:
    """A file's lines, or why they are not shown; ``hidden`` when some characters are shown as their numbers."""

    lines: list[Line]
    why_not: str | None = None
    hidden: bool = False


def listing(member: Mapping[str, Any], content: Callable[[], bytes]) -> Listing:
    """The lines of a member: its ``size`` in bytes, ``digest`` (SHA-256) and ``findings``.

    ``content`` is called for its bytes when they can be shown. Raises ``StorageFault``.
    """
    if member["size"] > SMALL:
        return Listing([], f"it has {shown_bytes(member['size'])}; at most {shown_bytes(SMALL)} are shown")
    data = content()
    if sha256_bytes(data) != member["digest"]:
        raise StorageFault("the archive holds another file than was read from it")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Listing([], "it is not text in UTF-8")
    if "\0" in text:
        return Listing([], "it is not text")
    # Lines end as the interpreter and the scan have it, or the marks would stand elsewhere.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    shown = visible(text)
    if text.count("\n") > _MOST_LINES:
        return Listing([], f"it has more than {_MOST_LINES:,} lines")
    levels: dict[int, str] = {}
    for finding in sorted(member["findings"], key=lambda finding: finding["level"] == "forbidden"):
        levels[finding["line"]] = finding["level"]  # of several the worst
    lines = [Line(number, line, levels.get(number, "")) for number, line in enumerate(shown.split("\n"), 1)]
    return Listing(lines, None, shown != text)
