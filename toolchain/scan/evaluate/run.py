"""Evaluates whole modules: the top level first, then every function body once more on its own."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from toolchain.scan.evaluate.interpreter import Activation
from toolchain.scan.evaluate.values import Const, Function

if TYPE_CHECKING:
    from toolchain.scan.evaluate.interpreter import Interpreter
    from toolchain.scan.evaluate.package import Module

_DYNAMIC = frozenset(
    [
        "__import__",
        "eval",
        "exec",
        "compile",
        "globals",
        "locals",
        "vars",
        "builtins",
        "__builtins__",
        "importlib",
        "import_module",
        "attrgetter",
        "methodcaller",
        "__getattribute__",
        "codecs",
        "base64",
        "chr",
        "runpy",
        "pkgutil",
        "pydoc",
        "putenv",
        "__loader__",
        "__subclasses__",
        "dictConfig",
        "unhexlify",
    ]
)


def run_top_level(it: Interpreter, module: Module) -> None:
    """Evaluate what importing the module would run."""
    from toolchain.scan.evaluate.statements import execute

    assert module.tree is not None
    module.state = "running"
    module.dynamic = _is_dynamic(module)
    module.frame.set("__name__", Const(module.name or "__main__"))
    module.frame.set("__file__", Const(module.file))
    with it.inside(module.frame, module, Activation()):
        try:
            execute(it, module.tree.body)
        finally:
            module.state = "done"


# How often function bodies are read anew while what they are handed, or what objects hold, still grows.
_TURNS = 4
_LARGE_TURNS = 2


def run_module(it: Interpreter, module: Module) -> None:
    """Evaluate a module to the end: its top level, then its functions with arguments that are not known."""
    from toolchain.scan.evaluate.calls import visit_function

    assert module.tree is not None
    it.root_dynamic = _is_dynamic(module)
    if module.state == "new":
        run_top_level(it, module)
    for turn in range(_LARGE_TURNS if it.package.large else _TURNS):
        it.dirty = False
        position = 0
        while position < len(module.functions):
            function = module.functions[position]
            assert isinstance(function, Function)
            with it.inside(function.frame, module, Activation()):
                visit_function(it, function, again=turn > 0)
            position += 1
        if not it.dirty:
            break


def _is_dynamic(module: Module) -> bool:
    """Whether a file puts names together or walks namespaces: then calls are followed with their arguments."""
    if module.makes_names is None:
        assert module.tree is not None
        module.makes_names = _makes_names(module.tree)
    return module.makes_names


def _makes_names(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        kind = type(node)
        if (
            (kind is ast.Name and node.id in _DYNAMIC)  # type: ignore[attr-defined]  # narrowed by kind, for speed
            or (kind is ast.Attribute and node.attr in _DYNAMIC)  # type: ignore[attr-defined]  # as above
            or kind is ast.Match
            or (kind is ast.Call and _dynamic_getattr(node))
        ):
            return True
    return False


def _dynamic_getattr(node: ast.AST) -> bool:
    """A ``getattr`` whose name is put together rather than written out or handed in."""
    assert isinstance(node, ast.Call)
    function = node.func
    if not (isinstance(function, ast.Name) and function.id == "getattr") or len(node.args) < 2:
        return False
    return not isinstance(node.args[1], ast.Constant)
