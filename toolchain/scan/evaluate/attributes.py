"""Attribute access on abstract values, by whatever syntax it is written."""

from __future__ import annotations

import ast
from pathlib import PurePosixPath

from toolchain.scan.evaluate.interpreter import OWN_NAMES, Interpreter
from toolchain.scan.evaluate.introspection import (
    INTROSPECTION,
    OF_ANY_VALUE,
    attribute_of_dunder,
    attribute_of_function,
    introspect,
    line_of,
)
from toolchain.scan.evaluate.modules import own_attribute
from toolchain.scan.evaluate.objects import attribute_of_class, attribute_of_instance, class_of
from toolchain.scan.evaluate.pure import PathText
from toolchain.scan.evaluate.pure_functions import CONSTANTS
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Bound,
    Carrier,
    Class,
    Const,
    Dunder,
    FrameDict,
    Function,
    Getter,
    Instance,
    Map,
    Method,
    Namespace,
    OwnModule,
    OwnName,
    Partial,
    Ref,
    Seq,
    Union,
    Value,
    each,
    join,
)

ANY_MODULE = "sys.modules.?"
"""Some loaded module, found by walking ``sys.modules`` or a function's globals."""


DOORS = ("os", "builtins", "importlib")


_STRICT = frozenset(
    {
        "__class__",
        "__bases__",
        "__base__",
        "__subclasses__",
        "__mro__",
        "mro",
        "__code__",
        "__globals__",
        "__builtins__",
    }
)
"""What the strict list warns of on anything."""


def get_attribute(it: Interpreter, value: Value, name: str, node: ast.AST) -> Value:
    """``value.name`` for every alternative; what policy names is recorded."""
    if value is UNKNOWN and name not in INTROSPECTION:
        return it.regain(name, node)
    it.burn()
    if name in _STRICT:
        it.emit_named("state.dunder", f"?.{name}", node)
    if not isinstance(value, Union):
        return it.mention(_attribute(it, value, name, node), node)
    results = [_attribute(it, option, name, node) for option in each(value)]
    if name == "__class__":  # of several things: its call makes one of these, hardly ever a function
        results = [Dunder("class") if isinstance(option, Ref) else option for option in results]
    return it.mention(join(results), node, certain=False)


def _attribute(it: Interpreter, value: Value, name: str, node: ast.AST) -> Value:
    if isinstance(value, Ref):
        return _of_ref(it, value, name, node)
    if isinstance(value, Carrier):
        return _of_carrier(it, value, name, node)
    if isinstance(value, (OwnName, OwnModule)):
        return _of_own(it, value, name, node)
    if isinstance(value, Instance):
        return attribute_of_instance(it, value, name, node)
    if isinstance(value, Class):
        return attribute_of_class(it, value, name, node)
    if name == "__dict__":
        return Namespace(value)
    if name == "__class__":
        return class_of(it, value)
    if isinstance(value, Dunder):
        return attribute_of_dunder(it, value, name, node)
    if isinstance(value, (Function, Bound)):
        return attribute_of_function(it, value, name, node)
    if isinstance(value, Partial) and name == "func":
        return value.function
    if isinstance(value, Method) and name == "__self__":
        return value.receiver
    if name in {"parent", "stem", "name"} and isinstance(value, Const) and isinstance(value.value, PathText):
        return _of_path(value.value, name)
    if isinstance(value, Const) and isinstance(value.value, slice):
        return UNKNOWN
    if name in OF_ANY_VALUE:
        return introspect(it, name, node)
    if isinstance(value, (Const, Seq, Map, Namespace, FrameDict, Getter, Partial, Method)):
        return Method(value, name)
    return introspect(it, name, node) if name in INTROSPECTION else UNKNOWN


def _of_path(path: PathText, name: str) -> Value:
    found = str(getattr(PurePosixPath(path), name))
    return Const(PathText(found) if name == "parent" else found)


def _of_ref(it: Interpreter, value: Ref, name: str, node: ast.AST) -> Value:
    if name == "__dict__":
        return Namespace(value)
    if name in {"__getattribute__", "__getattr__", "__init__", "__call__", "__wrapped__", "__func__", "__new__"}:
        if name == "__call__":
            return value
        if name.startswith("__get"):
            return (
                Method(value, name)
                if not value.path.startswith("builtins.")
                else value.step(f"{value.path}.{name}")
            )
        return Dunder("function", value.trail)
    if name in {"__loader__", "__spec__"}:
        return Dunder(name.strip("_"), value.trail)
    if name in {"value", "_value_"} and value.path in it.policy.sensitive:
        return value  # a member of an enumeration
    if value.path == ANY_MODULE:
        return _of_any_module(it, value, name, node)
    path = f"{value.path}.{name}"
    if name in {"__builtins__", "f_builtins"}:
        found = it.ref("builtins", (*value.trail, f"line {line_of(node)}: {path}"))
        it.emit(it.policy.rules["introspection.builtins"], path, node, found.trail)
        return found
    if path in CONSTANTS:
        return Const(CONSTANTS[path])
    if name == "__class__":
        return it.ref("builtins.type") if value.path.startswith("builtins.") else Dunder("class", value.trail)
    if name == "__self__" and value.path.startswith("builtins."):
        # A built-in function's __self__ is the module it lives in.
        it.emit(it.policy.rules["introspection.builtins"], f"{value.path}.__self__", node, value.trail)
        return it.ref("builtins", (*value.trail, f"line {line_of(node)}: {path}"))
    if name == "__self__":
        owner = it.ref(value.path.rpartition(".")[0] or value.path, value.trail)
        if owner.path in it.policy.carried:
            it.emit(it.policy.rules["introspection.builtins"], f"{value.path}.__self__", node, value.trail)
        return owner
    if name in {"__name__", "__qualname__"} and "?" not in value.path and not value.path.endswith(")"):
        return Const(value.path.rpartition(".")[2])
    if name == "__module__" and value.path.startswith("builtins."):
        return Const("builtins")
    if name == "modules" and value.path == "sys":
        return value.step("sys.modules")
    if value.path.startswith("builtins.") and name in {"__base__", "__bases__", "__mro__"}:
        return (
            it.ref("builtins.object", value.trail)
            if name == "__base__"
            else Dunder("mro" if name == "__mro__" else "bases", value.trail)
        )
    if name in INTROSPECTION and name not in {"__subclasses__", "__loader__", "__spec__", "__import__", "mro"}:
        return introspect(it, name, node)
    if name in OWN_NAMES and it.policy.match(it.policy.canonical(path)) is None:
        it.emit_named(OWN_NAMES[name], path, node)
    if name == "__path__":
        return value.step("sys.path")
    full = it.policy.canonical(path)
    return value.step(full, f"line {line_of(node)}: {full}" if full != path else None)


def _of_any_module(it: Interpreter, value: Ref, name: str, node: ast.AST) -> Value:
    """One of the loaded modules, not known which: its attributes count where only a door has them."""
    for door in DOORS:
        path = f"{door}.{name}"
        if it.policy.match(path) is not None:
            return value.step(path, f"line {line_of(node)}: {name} of any loaded module")
    return it.ref(name, value.trail) if name.lstrip("_") in it.policy.carried else UNKNOWN


def _of_carrier(it: Interpreter, value: Carrier, name: str, node: ast.AST) -> Value:
    for held in value.held:
        path = it.policy.canonical(f"{held.path}.{name}") if isinstance(held, Ref) else ""
        if path == "sys.modules" or it.policy.match(path) is not None:
            return it.attribute(held, name, node)
    return join((introspect(it, name, node), value)) if name in INTROSPECTION else value


def _of_own(it: Interpreter, value: OwnName | OwnModule, name: str, node: ast.AST) -> Value:
    if isinstance(value, OwnName):
        forced = it.force(value)
        return it.attribute(forced, name, node) if not isinstance(forced, OwnName) else UNKNOWN
    if name == "__dict__":
        return Namespace(value)
    if name == "__builtins__":
        it.emit(it.policy.rules["introspection.builtins"], "__builtins__", node)
        return it.ref("builtins")
    if name == "__path__":
        return it.ref("sys.path")
    return own_attribute(it, value.name, name)
