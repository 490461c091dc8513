"""Notebooks: which cells start a program, and which only look as if."""

from __future__ import annotations

import json

import pytest

from tests.support.scanning import reached
from toolchain.scan.sources import notebook_source


def _reached(cell: str) -> set[str]:
    document = {"cells": [{"cell_type": "code", "source": cell}]}
    return {found.power for found in reached(notebook_source(json.dumps(document).encode()).decode())}


@pytest.mark.parametrize(
    "cell",
    [
        "%%bash\nls -la | wc\nfor i in 1 2; do",
        "\n%%script perl\nprint $x;",
        "%system ls",
        "%run other.py",
        "x = !ls",
        "files = %sx ls -la",
        "%pip install package",
        "if x:\n    !ls",
        "import os\n%time os.system('x')",
        "%%time\nimport os\nos.system('x')",
    ],
)
def test_a_cell_that_starts_a_program_is_found(cell: str) -> None:
    assert _reached(cell) == {"P"}


@pytest.mark.parametrize(
    "cell",
    [
        "%matplotlib inline\nx = 1",
        "frame.head?",
        "x = ('%d'\n  % 3)",
        "%%html\n<b>text</b>",
        "%%writefile data.yaml\nx: [1\n y",
        "%timeit -n 10 f(x)",
        "text = '''\n! a note\n'''",
        "await f()",
    ],
)
def test_a_cell_that_starts_none_is_not(cell: str) -> None:
    assert _reached(cell) == set()
