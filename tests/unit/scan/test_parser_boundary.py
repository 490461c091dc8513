"""Random and mutated sources: the evaluator answers for each, and one never hides another."""

from __future__ import annotations

import contextlib
import io
import json
import random
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.scanning import samples
from toolchain.scan import worker
from toolchain.scan.evaluate.package import Package
from toolchain.scan.evaluate.wiring import make_interpreter
from toolchain.scan.policy import load_policy

_SEEDS = [text for _, text in (*samples("bad.txt"), *samples("good.txt"))]
_BAD = b"import os\nos.system('x')\n"
_HOSTILE = {
    "deep-parentheses": b"(" * 5000 + b")" * 5000,
    "deep-lists": b"x = " + b"[" * 90 + b"]" * 90,
    "deep-attributes": b"x" + b".a" * 3000,
    "deep-calls": b"f" + b"(1)" * 2000,
    "long-sum": b"x = " + b"+".join([b"1"] * 4000),
    "null-byte": b"x = 1\0",
    "bad-encoding": b"# coding: nonsense\nx = 1\n",
    "not-utf-8": b"x = '\xff\xfe'\n",
    "endless-loop": b"n = ''\nwhile True:\n    n += 'x'\n",
    "endless-recursion": b"def f(x):\n    return f(x + 'a') + f('b' + x)\nf('')\n",
    "doubling": b"a = ['x']\n" + b"a = a + a\n" * 40,
    "power-tower": b"x = 9 ** 9 ** 9 ** 9\n",
    "wide-format": b"x = '{:>999999999}'.format('x')\ny = f\"{'x':>999999999}\"\nz = '%999999999d' % 1\n",
    "class-cycle": b"class A(B): ...\nclass B(A): ...\nA().x.y.z\nB.__mro__\n",
    "import-cycle": b"from . import hostile\nfrom .hostile import *\nhostile.hostile.hostile\n",
}


def _answers(hostile: bytes) -> dict[str, dict[str, object]]:
    sources = {"hostile.py": hostile, "plain.py": _BAD}
    interpreter = make_interpreter(load_policy(), Package(sources))
    return {name: worker._judge(interpreter, name, source) for name, source in sources.items()}


def _is_answer(answers) -> bool:
    json.dumps(answers)
    names = {reach[1] for reach in answers["plain.py"]["reached"]}
    problem = answers["hostile.py"]["problem"]
    return "os.system" in names and (problem is None or problem[0] != "file.unjudged")


@pytest.fixture(autouse=True)
def _recursion(monkeypatch):
    """As the worker sets it for itself."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(6000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("name", _HOSTILE)
@pytest.mark.filterwarnings("ignore::SyntaxWarning")
def test_a_hostile_source_gets_an_answer_and_hides_nothing(name) -> None:
    with contextlib.redirect_stderr(io.StringIO()):
        assert _is_answer(_answers(_HOSTILE[name]))


@settings(max_examples=40)
@given(st.binary(max_size=300))
def test_random_bytes_get_an_answer(data) -> None:
    assert _is_answer(_answers(data))


@pytest.mark.filterwarnings("ignore::SyntaxWarning")
@settings(max_examples=60)
@given(st.integers(0, 2**32))
def test_mutated_samples_get_an_answer(seed) -> None:
    source = random.Random(seed)
    lines = [line for text in source.sample(_SEEDS, 3) for line in text.splitlines()]
    for _ in range(source.randint(1, 4)):
        lines.insert(source.randrange(len(lines)), lines.pop(source.randrange(len(lines))))
    text = "\n".join(lines)
    at = source.randrange(len(text))
    if source.random() < 0.5:
        text = text[:at] + source.choice(["(", ")", "]", ".", "=", "\\", "'", "\n    ", "*", ":="]) + text[at:]
    assert _is_answer(_answers(text.encode()))


def test_each_file_answers_for_what_it_reaches_itself() -> None:
    sources = {f"{name}.py": f"import os\nos.{name}('x')\n".encode() for name in ("popen", "system")}
    interpreter = make_interpreter(load_policy(), Package(sources))
    answers = [worker._judge(interpreter, name, source) for name, source in sources.items()]
    assert [{reach[1] for reach in answer["reached"]} for answer in answers] == [{"os.popen"}, {"os.system"}]
    assert {name: len(found) for name, found in interpreter.reached.items()} == {"popen.py": 1, "system.py": 1}
