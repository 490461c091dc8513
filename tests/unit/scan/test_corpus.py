"""Our own corpus: every bad sample is found in its class, no honest one is flagged."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.scanning import reached

_CORPUS = Path(__file__).parents[2] / "corpus"


def _samples(name: str) -> list[tuple[str, str]]:
    blocks = (_CORPUS / name).read_text().split("## ")[1:]
    return [(block.partition("\n")[0], block.partition("\n")[2]) for block in blocks]


@pytest.mark.parametrize(("title", "source"), _samples("bad.txt"), ids=lambda value: value.split("\n")[0])
def test_a_bad_sample_is_found_in_its_class(title: str, source: str) -> None:
    assert title.split(maxsplit=1)[0] in {found.power for found in reached(source)}


@pytest.mark.parametrize(("title", "source"), _samples("good.txt"), ids=lambda value: value.split("\n")[0])
def test_an_honest_sample_is_not_flagged(title: str, source: str) -> None:
    assert reached(source) == [], title


def test_the_corpus_is_large_enough_and_parses() -> None:
    bad, good = _samples("bad.txt"), _samples("good.txt")
    assert len(bad) >= 150
    assert len(good) >= 100
    for _, source in (*bad, *good):
        ast.parse(source)
