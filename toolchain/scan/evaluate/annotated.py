"""The ``__annotations__`` of functions, classes and modules, as far as they hold text or were set."""

from __future__ import annotations

import ast

from toolchain.scan.evaluate.frames import Frame
from toolchain.scan.evaluate.interpreter import Interpreter
from toolchain.scan.evaluate.values import A_TYPE, Const, Function, Map, Value

_KEPT = ".__annotations__"


def annotations_in(it: Interpreter, frame: Frame) -> Value:
    """What ``__annotations__`` stands for in the body of a module or class."""
    found = frame.get_ever("__annotations__")
    if found is None:
        it.dirty = True  # what was read before this did not see what is put in
        found = Map(rest=A_TYPE)
        frame.set("__annotations__", found)
    return found


def annotations_of(it: Interpreter, function: Function) -> Value:
    """``f.__annotations__``: an object that what is set later goes into."""
    if _KEPT not in function.defaults:
        it.dirty = True  # as above
        function.defaults[_KEPT] = Map(dict(texts_in(function)), A_TYPE)
    return function.defaults[_KEPT]


def annotations_set(function: Function) -> Value | None:
    """What a function's annotations were set to, or changed in, by any statement."""
    return function.defaults.get(_KEPT)


def texts_in(function: Function) -> dict[str, Value]:
    """The annotations of a definition that are text, by parameter."""
    spec = function.node.args
    parts = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
    found = {part.arg: part.annotation for part in parts if part is not None}
    found["return"] = getattr(function.node, "returns", None)
    return {name: Const(node.value) for name, node in found.items() if isinstance(node, ast.Constant)}
