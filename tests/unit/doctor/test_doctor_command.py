"""The table that people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from toolchain.cli.commands.doctor import _text
from toolchain.doctor import Check, Diagnosis, Status

if TYPE_CHECKING:
    import pytest

DIAGNOSIS = Diagnosis(
    (
        Check("engine", Status.OK, "Docker Engine 20.10.24"),
        Check("memory-limit", Status.ERROR, "not enforced", "enable it"),
    ),
    ("started an engine",),
)


def test_words_carry_the_meaning_and_columns_align(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert _text(DIAGNOSIS).splitlines() == [
        "repaired: started an engine",
        "ok       engine        Docker Engine 20.10.24",
        "error    memory-limit  not enforced",
        "                       next step: enable it",
        "",
        "something needed is missing or not probed: 1 ok, 1 error",
    ]


def test_colour_is_only_added_to_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    plain = _text(DIAGNOSIS)
    monkeypatch.delenv("NO_COLOR")
    coloured = _text(DIAGNOSIS)
    assert coloured != plain
    assert click.unstyle(coloured) == plain
