"""Evaluates whole modules: the top level first, then every function body once more on its own."""

from __future__ import annotations

from toolchain.scan.evaluate.calls import visit_function
from toolchain.scan.evaluate.interpreter import Activation, Interpreter
from toolchain.scan.evaluate.modules import is_dynamic, run_top_level
from toolchain.scan.evaluate.package import Module
from toolchain.scan.evaluate.values import Function

# How often function bodies are read anew while what they are handed, or what objects hold, still grows.
_TURNS = 4
_LARGE_TURNS = 2


def run_module(it: Interpreter, module: Module) -> None:
    """Evaluate a module to the end: its top level, then its functions with arguments that are not known."""
    assert module.tree is not None
    it.root_dynamic = is_dynamic(module)
    # Read before, or imported by a file that was: other files may have added to what its functions see.
    it.dirty = module.finished and not it.package.large
    if module.state == "new":
        run_top_level(it, module)
    for turn in range(_LARGE_TURNS if it.package.large else _TURNS):
        # The top level may have called a function before it handed something on.
        again, it.dirty = turn > 0 or it.dirty, False
        position = 0
        while position < len(module.functions):
            function = module.functions[position]
            assert isinstance(function, Function)
            with it.inside(function.frame, module, Activation()):
                visit_function(it, function, again=again)
            position += 1
        if not it.dirty:
            break
