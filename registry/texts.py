"""Texts of strangers, made fit for a database, an answer and a page."""

from __future__ import annotations

import re

# Controls but tab and newline, lone surrogates, and what reverses the direction of writing: a database refuses
# some, a page would be misread with the others.
_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def clean(text: str) -> str:
    """``text`` with U+FFFD for what is unfit."""
    return _UNFIT.sub("\ufffd", text)


def is_clean(text: str) -> bool:
    """Whether nothing in ``text`` is unfit."""
    return _UNFIT.search(text) is None
