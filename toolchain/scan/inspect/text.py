"""Text that reads otherwise than it runs: direction marks, invisible characters, letters of another script."""

from __future__ import annotations

import io
import re
import tokenize
import unicodedata
from collections.abc import Iterator

from toolchain.scan.contents import Problem

_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = re.compile("[\u200b\u2060\u180e\u00ad\ufeff\u115f\u1160\u3164\uffa0\U000e0000-\U000e007f]")
# Letters that stand for Latin ones: Cyrillic, Armenian, Cherokee, the Greek ones that look alike, and everything
# that Python's NFKC turns into ASCII (fullwidth and mathematical letters).
_LOOKALIKE = re.compile(
    "[\u0400-\u052f\u0531-\u0587\u13a0-\u13fd\u0391\u0392\u0395-\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
    "\u03bf\uff21-\uff3a\uff41-\uff5a\u2100-\u214f\U0001d400-\U0001d7ff]"
)
_COOKIE = re.compile(rb"^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")


def decoded(data: bytes) -> str:
    """A source as Python reads it (PEP 263); where that fails, which is a finding of its own, with replacement."""
    encoding = "utf-8-sig"
    if not data.startswith(b"\xef\xbb\xbf"):
        for line in data.split(b"\n", 2)[:2]:
            if cookie := _COOKIE.match(line):
                encoding = cookie.group(1).decode("ascii", "replace")
                break
    try:
        text = data.decode(encoding)
    except (LookupError, ValueError):
        text = data.decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def misleading_text(file: str, text: str, line_length: int) -> Iterator[Problem]:
    """What in a source a reader does not see, or takes for something else."""
    plain = text.isascii()
    strange = not plain and (_BIDI.search(text) or _INVISIBLE.search(text))
    lines = text.split("\n") if strange or len(text) > line_length else []
    if not strange and max(map(len, lines), default=0) <= line_length:
        lines = []
    for number, line in enumerate(lines, 1):
        if len(line) > line_length:
            yield Problem("text.long-line", f"a line of {len(line):,} characters", file, number)
        if strange and _BIDI.search(line):
            yield Problem("text.bidi", "a character that changes the direction of text", file, number)
        if strange and _INVISIBLE.search(line):
            yield Problem("text.invisible", "an invisible character", file, number)
    if not plain and _LOOKALIKE.search(text):
        yield from _lookalikes(file, text)


def _lookalikes(file: str, text: str) -> Iterator[Problem]:
    """Names, not comments or strings, that mix scripts or that Python reads as ASCII."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NAME and not token.string.isascii() and _misleads(token.string):
                message = f"the name {token.string!a} reads as another"
                yield Problem("text.homoglyph", message, file, token.start[0], token.string)
    except (tokenize.TokenError, SyntaxError, RecursionError):
        return  # a source that does not parse is a finding of its own


def _misleads(name: str) -> bool:
    if unicodedata.normalize("NFKC", name).isascii():
        return True
    return bool(_LOOKALIKE.search(name)) and re.search("[A-Za-z]", name) is not None
