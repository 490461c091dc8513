"""Characters that are not seen: which they are, and that each is shown, on terminals, in JSON and in reports."""

from __future__ import annotations

import json
import unicodedata

import pytest

from toolchain.cli.output import report_error
from toolchain.cli.talk import reporter
from toolchain.core.errors import UsageFault
from toolchain.core.visible import is_hidden, visible, visible_json
from toolchain.scan.html.escaping import shown

HIDDEN = {
    "escape": "\x1b",
    "a C1 control": "\x9b",
    "right to left": "\u202e",
    "an isolate": "\u2066",
    "a mark of direction": "\u200f",
    "zero width space": "\u200b",
    "joiner": "\u200d",
    "soft hyphen": "\u00ad",
    "byte order mark": "\ufeff",
    "tag letter": "\U000e0041",
    "Hangul filler": "\u3164",
    "Hangul choseong filler": "\u115f",
    "half-width filler": "\uffa0",
    "Khmer vowel": "\u17b4",
    "Mongolian selector": "\u180b",
    "variation selector": "\ufe0f",
    "variation selector 17": "\U000e0100",
    "grapheme joiner": "\u034f",
    "Braille blank": "\u2800",
    "line separator": "\u2028",
    "private use": "\ue000",
    "half a character": "\ud800",
}


@pytest.mark.parametrize("character", HIDDEN.values(), ids=HIDDEN)
def test_what_is_not_seen_is_shown(character, capsys):
    number = f"U+{ord(character):04X}"
    assert visible(f"a{character}b") == f"a<{number}>b"
    assert shown(f"a{character}b") == f'a<span class="hidden">{number}</span>b'
    text = visible_json({character: character})
    assert character not in text
    assert json.loads(text) == {character: character}
    report_error("plugin show", UsageFault("no", where=f"a{character}b", remedy="x"), as_json=False)
    assert capsys.readouterr().err == f"error: a<{number}>b: no\n  next step: x\n"
    reporter(as_json=False).say(f"a{character}b")
    assert capsys.readouterr().err == f"a<{number}>b\n"


@pytest.mark.parametrize(
    "text",
    ["", "plain\ttext\n", "Gr\u00fc\u00dfe, \u6f22\u5b57, \u0395\u03bb, \U0001f989", "\ud55c\uae00 e\u0301"],
)
def test_what_is_seen_stays(text):
    assert visible(text) == text
    assert visible_json(text) == json.dumps(text, ensure_ascii=False)


def test_a_carriage_return_writes_over_nothing():
    assert visible("passed\rfailed\r\nend") == "passed\nfailed\nend"


def test_every_format_character_of_unicode_is_hidden():
    formats = [chr(number) for number in range(0x110000) if unicodedata.category(chr(number)) == "Cf"]
    assert len(formats) > 100
    assert all(map(is_hidden, formats))
