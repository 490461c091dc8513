"""Evaluates sources in this process, for tests of the evaluator."""

from __future__ import annotations

from pathlib import Path

from toolchain.scan.evaluate.interpreter import Reach
from toolchain.scan.evaluate.package import Package
from toolchain.scan.evaluate.run import run_module
from toolchain.scan.evaluate.wiring import make_interpreter
from toolchain.scan.policy import load_policy

_CORPUS = Path(__file__).parents[1] / "corpus"


def samples(name: str) -> list[tuple[str, str]]:
    """(title, text) of each sample of a corpus file; a title stands on a line after ``## ``."""
    blocks = ("\n" + (_CORPUS / name).read_text()).split("\n## ")[1:]
    return [(block.partition("\n")[0], block.partition("\n")[2]) for block in blocks]


def files_of(text: str) -> dict[str, bytes]:
    """The files of a sample: one, or several, each after a line ``#: path``."""
    files: dict[str, str] = {}
    current = "plugin.py"
    for line in text.splitlines():
        if line.startswith("#: "):
            current = line[3:]
        else:
            files[current] = files.get(current, "") + line + "\n"
    return {name: source.encode() for name, source in files.items()}


def reached(text: str, *, strict: bool = False) -> list[Reach]:
    """What the default policy forbids of what a sample reaches, or all that the strict one has a word on."""
    policy = load_policy()
    sources = files_of(text)
    interpreter = make_interpreter(policy, Package(sources))
    for name in sources:
        module = interpreter.package.file(name)
        assert module is not None, name
        run_module(interpreter, module)
    found = [one for file in interpreter.reached.values() for one in file.values()]
    return found if strict else [one for one in found if policy.rules[one.rule].default == "forbidden"]
