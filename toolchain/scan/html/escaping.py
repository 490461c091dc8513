"""Text of a stranger as HTML: escaped, and with characters shown that are not seen or that move others."""

from __future__ import annotations

import unicodedata
from html import escape

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def shown(text: str) -> str:
    """``text`` as HTML content."""
    return "".join(_character(character) for character in text)


def _character(character: str) -> str:
    if _is_hidden(character):
        return f'<span class="hidden">{_named(character)}</span>'
    return escape(character)


def _is_hidden(character: str) -> bool:
    if character.isascii():
        return not character.isprintable() and character not in "\t\n"
    return unicodedata.category(character) in _HIDDEN


def _named(character: str) -> str:
    return f"U+{ord(character):04X}"
