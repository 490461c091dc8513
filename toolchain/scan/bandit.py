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


def _whole(word: str, before: str = r"\w") -> re.Pattern[str]:
    """The word on its own. It stands first in the pattern: a literal prefix is what makes the search fast."""
    return re.compile(rf"{word}\b(?<![{before}]{word})")


# A word that a file must hold, and the form in which it must stand there.
_WORDS: Mapping[str, re.Pattern[str]] = {
    "eval": _whole("eval", r"\w."),  # B307: the bare name; obj.eval is not it
    "exec": re.compile(r"exec(?:[lv]p?e?)?\b"),  # B102, B606
    "popen": re.compile(r"popen[234]?\b"),
    "spawn": re.compile(r"spawn[lv]p?e?\b"),
    "pickle": re.compile(r"pickle\b"),  # cPickle, jsonpickle and read_pickle as well
    "cPickle": re.compile("cPickle"),
    **{word: _whole(word) for word in ("system", "shell", "commands", "dill", "shelve", "marshal", "startfile")},
    **{word: re.compile(word) for word in ("subprocess", "telnetlib", "ftplib", "__import__", "import_module")},
}
# Rules of two words: both must be there.
_PAIRS = (("torch", "load"), ("yaml", "load"), ("logging", "listen"))
_PAIRED = {word: _whole(word) for pair in _PAIRS for word in pair}
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
    if any(word in text and form.search(text) for word, form in _WORDS.items()):
        return True
    return any(all(word in text and _PAIRED[word].search(text) for word in pair) for pair in _PAIRS)


def _results(answer: dict[str, Any]) -> Iterator[BanditHit | BanditFailure]:
    file = answer["file"]
    if answer["problem"] is not None:
        _rule, message, line = answer["problem"]
        yield BanditFailure(file, f"bandit: {message}", line)
    for test, line, last, column, message in answer["reached"]:
        yield BanditHit(file, line, last, column, TESTS[test], test, message)
