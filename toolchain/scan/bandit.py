"""bandit beside our own evaluator, in a bounded process: only its rules of our classes, no suppressions.

bandit spends a second on 25 files, so it gets only those in which its rules can find anything. That is decided
by the words that a file must hold for a rule to match: bandit compares resolved names, and every part of a name
that it resolves stands in the text. The two ways around that are covered: a text that is not ASCII is normalised
as Python normalises names, and where a string may name a module, the string need not be spelled out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toolchain.scan.inspect.text import decoded
from toolchain.scan.model import Limits
from toolchain.scan.pool import Sources, judge_sources

# bandit's test ids by our classes; what each looks for stands in its documentation.
TESTS: Mapping[str, str] = {
    **dict.fromkeys(("B404", "B602", "B603", "B604", "B605", "B606", "B607", "B609"), "P"),
    **dict.fromkeys(("B102", "B307", "B612"), "E"),
    **dict.fromkeys(("B312", "B321", "B401", "B402"), "N"),
    **dict.fromkeys(("B301", "B302", "B506", "B614"), "D"),
}
_WORDS = re.compile(
    r"\bexec\b|(?<!\.)\beval\b"  # B102, B307: the bare names
    r"|\bsubprocess|\bcommands\b|\bpopen[234]?\b|\bsystem\b|\bexec[lv]p?e?\b|\bspawn[lv]p?e?\b|\bstartfile\b|\bshell\b"
    r"|\b(?:pickle|cPickle|dill|shelve|jsonpickle|marshal)\b|\bread_pickle\b|\btelnetlib|\bftplib"
    r"|\b__import__\b|\bimport_module\b"
)
# Rules of two words: both must be there.
_PAIRS = (
    (re.compile(r"\b(?:torch|yaml)\b"), re.compile(r"\bload\b")),
    (re.compile(r"\blogging\b"), re.compile(r"\blisten\b")),
)
_PROGRAM = "toolchain.scan.bandit_worker"


@dataclass(frozen=True)
class BanditHit:
    """One result of bandit: lines from ``line`` to ``last``, ``column`` from 0."""

    file: str
    line: int
    last: int
    column: int
    power: str
    test: str
    message: str


@dataclass(frozen=True)
class BanditFailure:
    """A file that bandit could not judge, and why."""

    file: str
    message: str
    line: int = 1


def bandit_hits(sources: Mapping[str, bytes], limits: Limits) -> Iterator[BanditHit | BanditFailure]:
    """What bandit says of the files; what it cannot read, and a bandit that is not there, is a failure."""
    chosen = {name: data for name, data in sources.items() if can_hit(data)}
    if chosen:
        for answer in judge_sources(Sources(chosen, (), 1, _PROGRAM), limits):
            yield from _results(answer)


def can_hit(data: bytes) -> bool:
    """Whether a file holds what one of the rules needs for a hit."""
    text = decoded(data)
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if _WORDS.search(text):
        return True
    return any(first.search(text) and second.search(text) for first, second in _PAIRS)


def _results(answer: dict[str, Any]) -> Iterator[BanditHit | BanditFailure]:
    file = answer["file"]
    if answer["problem"] is not None:
        _rule, message, line = answer["problem"]
        yield BanditFailure(file, f"bandit: {message}", line)
    for test, line, last, column, message in answer["reached"]:
        yield BanditHit(file, line, last, column, TESTS[test], test, message)
