"""Which files bandit gets: every file in which one of its rules can match, whatever is done to its text."""

from __future__ import annotations

import pytest

from toolchain.scan.bandit import TESTS, can_hit


@pytest.mark.parametrize(
    "source",
    [
        "exec('1')",
        "eval('1')",
        "x = [eval ('1')]",
        "from os import system as s",
        "import subprocess as sp",
        "import subprocess32",
        "os.popen4('x')",
        "os.spawnlpe(0)",
        "f(shell=True)",
        "import commands",
        "import cPickle",
        "pandas.read_pickle(x)",
        "jsonpickle.decode(x)",
        "from torch import load as l",
        "yaml.load(x)",
        "import telnetlib",
        "from ftplib import FTP",
        "logging.config.listen()",
        "__import__('sub' 'process')",
        "importlib.import_module('\\x73ubprocess')",
        "\uff45\uff56\uff41\uff4c('1')",  # NFKC: eval
        "# coding: utf-7\n+AGUAdgBhAGw-('1')",
    ],
)
def test_it_gets_what_it_could_find(source: str) -> None:
    assert can_hit(source.encode())


@pytest.mark.parametrize(
    "source",
    [
        "model.eval()",
        "evaluate(1)",
        "x.load()",
        "import torch",
        "executor = 1",
        "systems = 1",
        "logging.info(listener)",
    ],
)
def test_it_is_spared_what_it_could_not(source: str) -> None:
    assert not can_hit(source.encode())


def test_every_rule_has_one_of_our_classes() -> None:
    assert set(TESTS.values()) == {"P", "E", "N", "D"}
