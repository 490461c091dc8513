"""Introspection attributes: ``__class__``, ``__globals__``, frames, and the way from them to the built-ins."""

from __future__ import annotations

import ast

from toolchain.scan.evaluate.annotated import annotations_of
from toolchain.scan.evaluate.caller_frames import is_harmless
from toolchain.scan.evaluate.interpreter import Interpreter
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Bound,
    Carrier,
    Const,
    Dunder,
    FrameDict,
    Function,
    Method,
    Seq,
    Value,
)

INTROSPECTION = frozenset(
    [
        "__class__",
        "__bases__",
        "__base__",
        "__mro__",
        "__globals__",
        "__builtins__",
        "__subclasses__",
        "__code__",
        "__self__",
        "__init__",
        "__call__",
        "__func__",
        "__wrapped__",
        "__closure__",
        "__reduce__",
        "__reduce_ex__",
        "__getattribute__",
        "__dict__",
        "__loader__",
        "__spec__",
        "__import__",
        "__module__",
        "__annotations__",
        "f_globals",
        "f_builtins",
        "f_locals",
        "f_back",
        "f_code",
        "gi_frame",
        "cr_frame",
        "ag_frame",
        "tb_frame",
        "tb_next",
        "__traceback__",
        "func_globals",
        "_module",
        "mro",
        "__new__",
        "__del__",
        "__enter__",
        "__exit__",
        "__repr__",
        "__str__",
        "__init_subclass__",
        "__subclasshook__",
        "__context__",
        "__cause__",
    ]
)


_FRAMES = frozenset(["gi_frame", "cr_frame", "ag_frame", "tb_frame", "tb_next", "f_back", "__traceback__"])


OF_ANY_VALUE = _FRAMES | {"__reduce__", "__reduce_ex__", "__init__"}


def attribute_of_function(it: Interpreter, value: Function | Bound, name: str, node: ast.AST) -> Value:
    function = value.function if isinstance(value, Bound) else value
    if name in {"__globals__", "func_globals"}:
        return FrameDict(function.frame.module)
    if name == "__builtins__":
        return introspect(it, name, node)
    if name in {"__func__", "__call__", "__wrapped__"}:
        return function if name == "__func__" else value
    if name == "__self__" and isinstance(value, Bound):
        return value.receiver
    if name == "__defaults__":
        return Seq("tuple", list(function.defaults.values()))
    if name == "__annotations__":
        return annotations_of(it, function)
    if f".{name}" in function.defaults:  # it was set
        return function.defaults[f".{name}"]
    if name == "__name__":
        return Const(function.name)
    if name in {"cache_clear", "cache_info", "register"}:
        return UNKNOWN
    return introspect(it, name, node) if name in INTROSPECTION else UNKNOWN


def introspect(it: Interpreter, name: str, node: ast.AST, trail: tuple[str, ...] = ()) -> Value:
    """An introspection attribute of something not known further."""
    if name in {"__builtins__", "f_builtins"}:
        path = f"?.{name}"
        it.emit(it.policy.rules["introspection.builtins"], path, node, trail)
        return it.ref("builtins", (f"line {line_of(node)}: {path}",))
    if name == "f_globals" and _spells(node, "tb_frame", "f_back", "frame", "gi_frame"):
        _judge_frame(it, name, node)
    if name in {"__globals__", "func_globals"} and isinstance(node, ast.Attribute):
        _judge_frame(it, name, node)
    if name in {"__globals__", "f_globals", "func_globals", "f_locals"}:
        return Dunder("globals", (f"line {line_of(node)}: .{name}",))
    if name == "__bases__":
        return Dunder("bases")
    if name == "__mro__":
        return Dunder("mro")
    if name == "mro":
        return Dunder("mro-method")
    if name == "__base__":
        return Dunder("base")
    if name == "__class__":
        return Dunder("class")
    if name in {"__init__", "__call__", "__func__", "__wrapped__", "__enter__", "__exit__", "__repr__", "__del__"}:
        return Dunder("function")
    if name in {"__loader__", "__spec__"}:
        return Dunder(name.strip("_"))
    if name == "__dict__":
        return Dunder("dict")
    if name == "__annotations__":
        return Dunder("annotations")
    if name == "__self__":  # of a built-in function of posix, the module
        return Carrier((it.ref("os", (f"line {line_of(node)}: ?.__self__",)),))
    if name in {"__getattribute__", "__reduce__", "__reduce_ex__"}:
        return Dunder(name.strip("_"))
    if name in {"__code__", "f_code", "gi_code", "co_code"}:
        return Dunder("code")
    if name in _FRAMES:
        return Dunder("caller" if name == "f_back" else "frame")
    return UNKNOWN


def attribute_of_dunder(it: Interpreter, value: Dunder, name: str, node: ast.AST) -> Value:
    kind = value.kind
    if kind == "own-frame" and name in {"f_globals", "f_locals"}:
        return FrameDict(it.frame.module if name == "f_globals" else it.frame)
    if kind in {"caller", "frame"} and (name == "f_globals" or (name == "f_locals" and _spells(node, "f_back"))):
        _judge_frame(it, name, node)
    if name == "__subclasses__" and kind in {"base", "mro[]", "class-of-class"}:
        found = it.ref(
            "builtins.object.__subclasses__", (f"line {line_of(node)}: a base class reached by introspection",)
        )
        return it.mention(found, node)
    if kind == "value-of-globals" and name.lstrip("_") in it.policy.carried:
        # A module of another module's: json.loads.__globals__["codecs"].builtins
        it.emit(it.policy.rules["introspection.builtins"], f"?.__globals__[].{name}", node, value.trail)
        return it.ref(name.lstrip("_"), value.trail)
    if kind in {"globals", "dict", "annotations", "mro", "bases"}:
        return Method(value, name)
    if kind == "code" and name == "replace":
        return it.ref("types.CodeType", (f"line {line_of(node)}: a code object's replace",))
    if kind == "class" and name == "__class__":
        return it.ref("builtins.type")
    if kind == "class" and name in {"__base__", "__bases__", "__mro__", "mro", "__subclasses__"}:
        return Dunder({"__base__": "base", "__bases__": "bases", "mro": "mro-method"}.get(name, name.strip("_")))
    if kind in {"loader", "spec"}:
        if kind == "spec" and name == "loader":
            return Dunder("loader")
        if kind == "loader" and name == "__class__":
            return it.ref("importlib.machinery.SourceFileLoader", (f"line {line_of(node)}: a loader's class",))
        if kind == "loader" and name in {"load_module", "exec_module", "create_module", "find_module"}:
            return it.mention(it.ref(f"__loader__.{name}"), node)
        return UNKNOWN
    if kind == "function" and name == "__globals__":
        _judge_frame(it, name, node)
        return Dunder("globals", (*value.trail, f"line {line_of(node)}: .__globals__"))
    return introspect(it, name, node) if name in INTROSPECTION else UNKNOWN


def _spells(node: ast.AST, *before: str) -> bool:
    """Whether an attribute is taken right from one of these, or from ``stack()[1][0]``."""
    before_it = node.value if isinstance(node, ast.Attribute) else None
    if isinstance(before_it, ast.Subscript):
        return isinstance(before_it.value, ast.Subscript) and "frame" in before
    return isinstance(before_it, ast.Attribute) and before_it.attr in before


def _judge_frame(it: Interpreter, name: str, node: ast.AST) -> None:
    """The names of another frame or function are taken as a whole; large libraries do for their own ends."""
    if not it.package.large and not is_harmless(it.module, node):
        it.emit_named("introspection.builtins", f"?.{name}", node)


def line_of(node: ast.AST) -> int:
    return getattr(node, "lineno", 1)
