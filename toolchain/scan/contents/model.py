"""What one pass over a target collects, and the budget that bounds it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from toolchain.scan.model import Limits


@dataclass(frozen=True)
class Problem:
    """Something about a file that is a finding by itself: the rule's id, what to say, and where.

    ``name`` is what was named there, such as an import of a pickle; ``line`` counts from 1.
    """

    rule: str
    message: str
    file: str
    line: int = 1
    name: str = ""


@dataclass(frozen=True)
class Entry:
    """One file: its path in the tree with ``/``, members of an archive after ``!/``, and its bytes."""

    name: str
    data: bytes


class Exhausted(Exception):
    """The scan has read as much as one scan reads."""


class TooLarge(Exception):
    """One archive unpacks to more than a scan reads."""


@dataclass
class Reading:
    """The state of one pass: problems, what was left out, and how much may still be read."""

    limits: Limits
    packed_only: bool = False
    problems: list[Problem] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._deadline = time.monotonic() + self.limits.total_seconds
        self._names: set[str] = set()
        self._bytes = 0

    def problem(self, rule: str, message: str, file: str) -> None:
        """Note a finding about a file that is not, or not only, judged by its bytes. Raises ``Exhausted``."""
        if len(self.problems) >= self.limits.files:
            raise Exhausted(f"more than {self.limits.files:,} files that cannot be read")
        self.problems.append(Problem(rule, message, file))

    def tick(self) -> None:
        """Raise ``Exhausted`` when the time is up."""
        if time.monotonic() > self._deadline:
            raise Exhausted("more time than one scan takes")

    def admit(self, name: str, data: bytes) -> Entry:
        """Take one file into the pass under a printable name of its own. Raises ``Exhausted``."""
        self.tick()
        self._bytes += len(data)
        if len(self._names) >= self.limits.files:
            raise Exhausted(f"more than the {self.limits.files:,} files that one scan reads")
        if self._bytes > self.limits.total_bytes:
            raise Exhausted(f"more than the {self.limits.total_bytes >> 20:,} MiB that one scan reads")
        return Entry(self._own(name), data)

    def _own(self, name: str) -> str:
        """Two members of one name, or two names that read the same, must not hide one another."""
        shown = printable_name(name)
        if shown != name:
            self.problem("file.name", "a name that holds invisible characters or is not UTF-8", shown)
        unique, number = shown, 1
        while unique in self._names:
            number += 1
            unique = f"{shown}#{number}"
        if unique != shown:
            self.problem("archive.duplicate", "a second file of the same name", shown)
        self._names.add(unique)
        return unique


def printable_name(name: str) -> str:
    """A file's name with everything invisible, and bytes that are no UTF-8, written as escapes."""
    if name.isprintable():
        return name
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "backslashreplace").decode()
        for character in name
    )


def line_number(data: bytes, position: int) -> int:
    """The line, counted from 1, of a place in a file."""
    return data.count(b"\n", 0, position) + 1
