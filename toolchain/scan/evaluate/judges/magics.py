"""Magics of notebooks, as exported programs have them."""

from __future__ import annotations

from toolchain.scan.evaluate.interpreter import Call, Interpreter
from toolchain.scan.evaluate.values import (
    Const,
    each,
    texts,
)

_HARMLESS_MAGICS = frozenset({
    "alias_magic", "autoawait", "autoreload", "colors", "config", "dirs", "doctest_mode", "env", "history", "html",
    "javascript", "js", "latex", "logstart", "lsmagic", "markdown", "matplotlib", "notebook", "page", "pinfo",
    "pprint", "precision", "psearch", "pylab", "reset", "svg", "tensorboard", "unload_ext", "who", "whos", "xmode",
})  # fmt: skip
_PYTHON_MAGICS = frozenset({"capture", "debug", "memit", "mprun", "pdb", "prun", "time", "timeit"})
_EXTENSIONS = frozenset({"autoreload", "tensorboard", "memory_profiler", "line_profiler", "watermark", "dotenv"})


def judge_magic(it: Interpreter, path: str, request: Call) -> str | None:
    """``run_line_magic("matplotlib", "inline")``, as exported notebooks have it, runs no other program."""
    given = request.args[:1]
    words = [text.lstrip("%").split() for value in given for text in texts(value)]
    if words and all(isinstance(option, Const) for value in given for option in each(value)):
        wrong = [_one_magic(it, word, request) for word in words]
        return next((reason for reason in wrong if reason), None)
    return "runs any magic"


def _one_magic(it: Interpreter, word: list[str], request: Call) -> str | None:
    """What is wrong with a magic whose name is known; one that runs Python has its text read as code."""
    from toolchain.scan.evaluate.models.code import read_code

    name, given = (word[0] if word else ""), [Const(part) for part in word[1:]]
    rest = [option for value in (*request.args[1:], *request.kwargs.values(), *given) for option in each(value)]
    if name in _PYTHON_MAGICS:
        for text in rest:
            read_code(it, Call([text], {}, request.node))
        return None if all(isinstance(text, Const) for text in rest) else "runs the text that it is given"
    if name in {"load_ext", "reload_ext"}:
        known = all(isinstance(text, Const) and text.value in _EXTENSIONS for text in rest)
        return None if known else "loads any extension"
    return None if name in _HARMLESS_MAGICS else "runs another program"
