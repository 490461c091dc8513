"""Our own corpus: every bad sample is found in its class, no honest one is flagged."""

from __future__ import annotations

import ast

import pytest

from tests.support.scanning import files_of, reached, samples
from toolchain.scan.policy import load_policy

_BAD = [*samples("bad.txt"), *samples("evasions.txt")]
_GOOD = samples("good.txt")
_MISSED = samples("missed.txt")


@pytest.mark.parametrize(("title", "source"), _BAD, ids=[title for title, _ in _BAD])
def test_a_bad_sample_is_found_in_its_class(title: str, source: str) -> None:
    assert title.split(maxsplit=1)[0] in {found.power for found in reached(source)}


@pytest.mark.parametrize(("title", "source"), _GOOD, ids=[title for title, _ in _GOOD])
def test_an_honest_sample_is_not_flagged(title: str, source: str) -> None:
    assert reached(source) == [], title


@pytest.mark.parametrize(("title", "source"), _MISSED, ids=[title for title, _ in _MISSED])
def test_what_is_known_to_be_missed_is_listed_until_it_is_found(title: str, source: str) -> None:
    assert title.split(maxsplit=1)[0] not in {found.power for found in reached(source)}


def test_the_corpus_parses_and_names_each_sample_once() -> None:
    for _, text in (*_BAD, *_GOOD, *_MISSED):
        for source in files_of(text).values():
            ast.parse(source)
    for group in (_BAD, _GOOD):
        titles = [title for title, _ in group]
        assert len(titles) == len(set(titles))


def test_every_forbidden_rule_with_names_has_a_bad_sample() -> None:
    seen = {found.rule for _, source in _BAD for found in reached(source)}
    named = {rule.id for rule in load_policy().exact.values() if rule.default == "forbidden"}
    assert named <= seen


@pytest.mark.parametrize(
    "source",
    [
        "x.__class__",
        "x.__subclasses__()",
        "x.__globals__",
        "x.mro()",
        "import threading",
        "import fcntl",
        "open('x')",
        "globals()",
        "setattr(a, 'b', 1)",
        "import pickle",
        "import multiprocessing",
        "import resource",
    ],
)
def test_the_stricter_published_list_is_judged_under_strict_only(source: str) -> None:
    policy = load_policy()
    assert reached(source) == []
    assert {policy.rules[found.rule].strict for found in reached(source, strict=True)} & {"forbidden", "warned"}
