"""Transforms that keep the meaning keep the verdict."""

from __future__ import annotations

import base64
import codecs
import keyword

from hypothesis import given
from hypothesis import strategies as st

from tests.support.scanning import reached

_NAMES = st.from_regex(r"[a-z_][a-z0-9_]{2,8}", fullmatch=True).filter(
    lambda name: (
        not keyword.iskeyword(name) and name not in dir(__builtins__) and name not in {"getattr", "match", "eval"}
    )
)
_SPELLINGS = (
    repr,
    lambda text: " + ".join(map(repr, text)),
    lambda text: f"{text[::-1]!r}[::-1]",
    lambda text: f"''.join({list(text)!r})",
    lambda text: f"''.join(map(chr, {list(map(ord, text))!r}))",
    lambda text: f"bytes({list(text.encode())!r}).decode()",
    lambda text: f"bytes.fromhex({text.encode().hex()!r}).decode()",
    lambda text: f"__import__('base64').b64decode({base64.b64encode(text.encode())!r}).decode()",
    lambda text: f"__import__('codecs').decode({codecs.encode(text, 'rot13')!r}, 'rot13')",
    lambda text: f'f"{{{text[:2]!r}}}{text[2:]}"',
    lambda text: f"'%s%s' % ({text[:1]!r}, {text[1:]!r})",
    lambda text: f"'{{1}}{{0}}'.format({text[3:]!r}, {text[:3]!r})",
    lambda text: f"{text.replace('s', '#')!r}.replace('#', 's')",
)


@given(st.sampled_from(_SPELLINGS), st.sampled_from(["system", "popen", "execv", "posix_spawn"]))
def test_a_name_spelled_in_another_way_is_still_found(spell, name) -> None:
    found = {reach.name for reach in reached(f"import os\ngetattr(os, {spell(name)})('x')\n")}
    assert f"os.{name}" in found


@given(st.lists(_NAMES, min_size=1, max_size=6, unique=True))
def test_a_chain_of_aliases_is_followed(names) -> None:
    steps = "".join(f"{after} = {before}\n" for before, after in zip(["os", *names], names, strict=False))
    assert "os.system" in {reach.name for reach in reached(f"import os\n{steps}{names[-1]}.system('x')\n")}


@given(_NAMES, _NAMES)
def test_renaming_an_honest_thing_changes_nothing(first, second) -> None:
    assert reached(f"import re as {first}\n{second} = {first}.compile('x')\n{second}.match('y')\n") == []
