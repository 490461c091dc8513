"""What a loop sees of a value."""

from __future__ import annotations

import ast

from toolchain.scan.evaluate.interpreter import Interpreter
from toolchain.scan.evaluate.objects import class_attribute
from toolchain.scan.evaluate.values import CONTENT, UNKNOWN, Const, Function, Instance, Ref, Seq, Value, each

UNROLL = 1024
_ITERABLE = frozenset(
    {"importlib.metadata.entry_points()", "pkg_resources.iter_entry_points()", "psutil.process_iter()"}
)


def iterated(it: Interpreter, value: Value, node: ast.AST) -> Value:
    """What a loop over a value sees: objects of the tree's classes are asked for their items."""
    for option in each(value):
        if isinstance(option, Ref) and option.path in _ITERABLE:
            return Seq("generator", [it.ref(f"{option.path}[]", option.trail)], exact=False)
        if not isinstance(option, Instance):
            continue
        if CONTENT in option.attributes:
            return option.attributes[CONTENT]
        found: Value | None = None
        for name, given in (("__iter__", []), ("__aiter__", []), ("__getitem__", [UNKNOWN])):
            hook = class_attribute(it, option.cls, name)
            if isinstance(hook, Function):
                found = it.call_function(hook, [option, *given], {}, node)
                break
        if isinstance(found, Instance):
            step = class_attribute(it, found.cls, "__next__") or class_attribute(it, found.cls, "__anext__")
            item = it.call_function(step, [found], {}, node) if isinstance(step, Function) else UNKNOWN
            found = Seq("generator", [item], exact=False)
        elif found is not None and name == "__getitem__":
            found = Seq("generator", [found], exact=False)
        return UNKNOWN if found is None else found
    return value


def worth_unrolling(it: Interpreter, items: list[Value]) -> bool:
    """Whether a loop over these is followed item by item: where names can be made, or things are carried."""
    return it.module.dynamic or any(not isinstance(item, Const) and item is not UNKNOWN for item in items)
