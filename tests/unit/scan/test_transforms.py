"""Transforms that keep the meaning keep the verdict."""

from __future__ import annotations

import base64
import codecs
import keyword

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.scanning import reached, samples

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


_CARRIERS = (
    "h = {0}",
    "h = [1, {0}][1]",
    "h = {{'k': {0}}}['k']",
    "h = (lambda: {0})()",
    "def _g():\n    return {0}\nh = _g()",
    "def _i(x):\n    return x\nh = _i({0})",
    "class _C:\n    m = {0}\nh = _C.m",
    "class _C:\n    def __init__(self):\n        self.m = {0}\nh = _C().m",
    "class _C:\n    @property\n    def m(self):\n        return {0}\nh = _C().m",
    "(h := {0})",
    "h, _r = {0}, 1",
    "*_r, h = 1, 2, {0}",
    "for h in ({0},):\n    pass",
    "h = next(iter([{0}]))",
    "h = next(x for x in [{0}])",
    "h = ({0} if len('x') else None)",
    "h = (None or {0})",
    "try:\n    h = {0}\nexcept ValueError:\n    h = None",
    "def _y():\n    yield {0}\nh = list(_y())[0]",
    "h = dict(k={0}).get('k')",
    "match {0}:\n    case h:\n        pass",
    "def _d(m={0}):\n    return m\nh = _d()",
    "def _k(**kw):\n    return kw['m']\nh = _k(m={0})",
    "import functools\nh = functools.partial(lambda m: m, {0})()",
)
_POWERS = (
    ("import os", "os", "h.system('x')", "P"),
    ("import os", "os", "getattr(h, 'po' + 'pen')('x')", "P"),
    ("import builtins", "builtins", "h.eval('1')", "E"),
    ("", "eval", "h('1')", "E"),
    ("import pickle", "pickle", "h.loads(b'')", "D"),
    ("import importlib", "importlib", "h.import_module(n)", "I"),
)


@settings(max_examples=60)
@given(st.lists(st.sampled_from(_CARRIERS), min_size=1, max_size=3), st.sampled_from(_POWERS))
def test_a_power_is_found_however_it_is_carried(carriers, power) -> None:
    first, held, use, letter = power
    lines = [first]
    for position, carrier in enumerate(carriers):
        lines.append(carrier.format(held).replace("_C", f"_C{position}").replace("_g", f"_g{position}"))
        held = "h"
    assert letter in {reach.power for reach in reached("\n".join([*lines, use, ""]))}


@settings(max_examples=30)
@given(st.sampled_from(samples("good.txt")), _NAMES)
def test_an_honest_sample_stays_so_inside_a_function(sample, name) -> None:
    body = "".join(f"    {line}\n" for line in sample[1].splitlines())
    if "import *" not in body and '"""' not in body:
        assert reached(f"def {name}():\n{body}    return None\n") == []
