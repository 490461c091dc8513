"""Shows what is not seen: the one rule for strangers' texts on terminals and pages.

Controls and format characters move or hide what stands around them, fillers and selectors are letters and marks
without any ink: each is written as its number, ``<U+202E>``, so that a text is read as it is.
"""

from __future__ import annotations

import json
from typing import Any, Final

_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Letters, marks and symbols of other categories that leave no ink: Unicode's Default_Ignorable_Code_Point
# (DerivedCoreProperties.txt) beyond those categories, and the blanks of Braille, Khitan and musical notation.
_BLANK: Final = (
    (0x034F, 0x034F), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F), (0x2800, 0x2800), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFFA0, 0xFFA0), (0x16FE4, 0x16FE4), (0x1D159, 0x1D159), (0xE0100, 0xE01EF),
)  # fmt: skip


def visible(text: str) -> str:
    """``text`` with every hidden character but tab and newline as ``<U+XXXX>``; a carriage return is a newline."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.translate({ord(character): f"<{named(character)}>" for character in _hidden_in(text)})


def visible_json(value: Any) -> str:
    """A value as indented JSON whose hidden characters are escapes: nothing of the value is lost.

    A lone surrogate, which has no UTF-8, is an escape as well.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False)
    return text.translate({ord(character): json.dumps(character)[1:-1] for character in _hidden_in(text)})


def named(character: str) -> str:
    """A character's number as Unicode writes it."""
    return f"U+{ord(character):04X}"


def is_hidden(character: str) -> bool:
    """Whether a character is not seen, or moves or joins others; tab and newline are what they look like."""
    if character.isascii():
        return not character.isprintable() and character not in "\t\n"
    import unicodedata

    number = ord(character)
    return unicodedata.category(character) in _HIDDEN or any(first <= number <= last for first, last in _BLANK)


def _hidden_in(text: str) -> set[str]:
    return {character for character in set(text) if is_hidden(character)}
