"""Text of a stranger as HTML: escaped, and with characters shown that are not seen or that move others."""

from __future__ import annotations

from html import escape

from toolchain.core.visible import is_hidden, named


def shown(text: str) -> str:
    """``text`` as HTML content."""
    return "".join(_character(character) for character in text)


def _character(character: str) -> str:
    return f'<span class="hidden">{named(character)}</span>' if is_hidden(character) else escape(character)
