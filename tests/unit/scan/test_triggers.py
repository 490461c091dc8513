"""In a large tree only files that name nothing of power go unevaluated, however their text is laid out."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from toolchain.scan.evaluate.triggers import LARGE, LARGE_BYTES, is_large, needs_evaluation


@pytest.mark.parametrize(
    "source",
    [
        b"import socket\n",
        b"x = 1\rimport socket\r",
        b"x = 1\r\nimport socket\r\n",
        b"\x0cimport socket\n",
        b"from\\\n socket import create_connection\n",
        b"from\\\r\n socket import create_connection\r\n",
        b"# coding: utf-7\n+AGUAdgBhAGw-('1')\n",
        b"#!/usr/bin/python\n# -*- coding: utf_7 -*-\n+AGUAdgBhAGw-('1')\n",
        "s\u043ecket = 1\n".encode(),  # a Cyrillic letter
        b"import numexpr as ne\n",
        b"import inspect\ninspect.signature(f, eval_str=True)\n",
        b"import typing\ntyping.get_type_hints(f)\n",
        b"def load(finder, module): finder.exec_module(module)\n",
        b"from sympy import S\nS(text)\n",
        b"import pytest\npytest.main([path])\n",
        b"import click\nclick.edit('x', editor='sh')\n",
        b"import psutil\npsutil.Process(n).kill()\n",
        b"interface.dlopen(None)\n",
    ],
)
def test_a_file_that_may_reach_power_is_evaluated(source: bytes) -> None:
    assert needs_evaluation(source)


@pytest.mark.parametrize(
    "source",
    [
        b"x = 1\n",
        b"# -*- coding: utf-8 -*-\nimport math\n",
        b"# coding: latin-1\rimport json\r",
        b"import pytest\nassert pytest.approx(1) == 1\n",
    ],
)
def test_a_file_that_names_nothing_is_not(source: bytes) -> None:
    assert not needs_evaluation(source)


def test_what_makes_a_tree_large_is_its_bytes_or_more_files_than_the_platform_takes() -> None:
    small = {f"{number}.py": b"x = 1\n" for number in range(LARGE)}
    assert not is_large(small)
    assert is_large({**small, "more.py": b""})
    assert not is_large({"a.py": b"#" * LARGE_BYTES})
    assert is_large({"a.py": b"#" * LARGE_BYTES, "b.py": b"#"})


def test_most_of_an_honest_library_names_nothing() -> None:
    """A name in the policy whose first part honest files import all the time would end the large trees' speed."""
    spec = find_spec("pandas")
    assert spec is not None
    assert spec.origin is not None
    sources = [path.read_bytes() for path in Path(spec.origin).parent.rglob("*.py")]
    assert sum(map(needs_evaluation, sources)) < 0.4 * len(sources)
