# one signature for a table of handlers; a dispatcher over kinds
# ruff: noqa: PLR0912, C901, PLR0911
"""Attribute access on abstract values, by whatever syntax it is written."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from toolchain.scan.evaluate.pure import CONSTANTS
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

if TYPE_CHECKING:
    from toolchain.scan.evaluate.interpreter import Interpreter

ANY_MODULE = "sys.modules.?"
"""Some loaded module, found by walking ``sys.modules`` or a function's globals."""

DOORS = ("os", "builtins", "importlib")
_TYPES = {
    str: "str",
    bytes: "bytes",
    int: "int",
    float: "float",
    bool: "bool",
    type(None): "NoneType",
    complex: "complex",
}
_INTROSPECTION = frozenset(
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
_OF_ANY_VALUE = _FRAMES | {"__reduce__", "__reduce_ex__", "__init__"}


def get_attribute(it: Interpreter, value: Value, name: str, node: ast.AST) -> Value:
    """``value.name`` for every alternative; what policy names is recorded."""
    if value is UNKNOWN and name not in _INTROSPECTION:
        return it.regain(name, node)
    it.burn()
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
        return _of_instance(it, value, name, node)
    if isinstance(value, Class):
        return _of_class(it, value, name, node)
    if name == "__dict__":
        return Namespace(value)
    if name == "__class__":
        return class_of(it, value)
    if isinstance(value, Dunder):
        return _of_dunder(it, value, name, node)
    if isinstance(value, (Function, Bound)):
        return _of_function(it, value, name, node)
    if isinstance(value, Partial) and name == "func":
        return value.function
    if isinstance(value, Method) and name == "__self__":
        return value.receiver
    if isinstance(value, Const) and isinstance(value.value, slice):
        return UNKNOWN
    if name in _OF_ANY_VALUE:
        return introspect(it, name, node)
    if isinstance(value, (Const, Seq, Map, Namespace, FrameDict, Getter, Partial, Method)):
        return Method(value, name)
    return introspect(it, name, node) if name in _INTROSPECTION else UNKNOWN


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
        found = it.ref("builtins", (*value.trail, f"line {_line(node)}: {path}"))
        it.emit(it.policy.rules["introspection.builtins"], path, node, found.trail)
        return found
    if path in CONSTANTS:
        return Const(CONSTANTS[path])
    if name == "__class__":
        return it.ref("builtins.type") if value.path.startswith("builtins.") else Dunder("class", value.trail)
    if name == "__self__" and value.path.startswith("builtins."):
        # A built-in function's __self__ is the module it lives in.
        it.emit(it.policy.rules["introspection.builtins"], f"{value.path}.__self__", node, value.trail)
        return it.ref("builtins", (*value.trail, f"line {_line(node)}: {path}"))
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
    if name in _INTROSPECTION and name not in {"__subclasses__", "__loader__", "__spec__", "__import__", "mro"}:
        return introspect(it, name, node)
    full = it.policy.canonical(path)
    return value.step(full, f"line {_line(node)}: {full}" if full != path else None)


def _of_any_module(it: Interpreter, value: Ref, name: str, node: ast.AST) -> Value:
    """One of the loaded modules, not known which: its attributes count where only a door has them."""
    for door in DOORS:
        path = f"{door}.{name}"
        if it.policy.match(path) is not None:
            return value.step(path, f"line {_line(node)}: {name} of any loaded module")
    return it.ref(name, value.trail) if name.lstrip("_") in it.policy.carried else UNKNOWN


def _of_carrier(it: Interpreter, value: Carrier, name: str, node: ast.AST) -> Value:
    found = [value]
    for held in value.held:
        if isinstance(held, Ref) and it.policy.match(it.policy.canonical(f"{held.path}.{name}")) is not None:
            return get_attribute(it, held, name, node)
    return found[0]


def _of_own(it: Interpreter, value: OwnName | OwnModule, name: str, node: ast.AST) -> Value:
    from toolchain.scan.evaluate.modules import force, own_attribute

    if isinstance(value, OwnName):
        forced = force(it, value)
        return get_attribute(it, forced, name, node) if not isinstance(forced, OwnName) else UNKNOWN
    if name == "__dict__":
        return Namespace(value)
    if name == "__builtins__":
        it.emit(it.policy.rules["introspection.builtins"], "__builtins__", node)
        return it.ref("builtins")
    return own_attribute(it, value.name, name)


def _of_instance(it: Interpreter, value: Instance, name: str, node: ast.AST) -> Value:
    from toolchain.scan.evaluate.calls import call_function

    if name == "__class__":
        return value.cls
    if name == "__dict__":
        return Namespace(value)
    found = [value.attributes[name]] if name in value.attributes else []
    shared = value.cls.instance
    if shared is not None and shared is not value and name in shared.attributes:
        found.append(shared.attributes[name])
    if found:
        return join(found)
    inherited = class_attribute(it, value.cls, name)
    if inherited is not None:
        return join(_bind(it, option, value, node) for option in each(inherited))
    for hook in ("__getattr__", "__getattribute__"):
        function = class_attribute(it, value.cls, hook)
        if isinstance(function, Function):
            return call_function(it, function, [value, Const(name)], {}, node)
    return introspect(it, name, node) if name in _INTROSPECTION else UNKNOWN


def _bind(it: Interpreter, value: Value, receiver: Value, node: ast.AST) -> Value:
    from toolchain.scan.evaluate.calls import call_function

    if not isinstance(value, Function):
        if isinstance(value, Instance):
            getter = class_attribute(it, value.cls, "__get__")
            if isinstance(getter, Function):
                return call_function(it, getter, [value, receiver, UNKNOWN], {}, node)
        return value
    if value.kind == "property":
        return call_function(it, value, [receiver], {}, node)
    if value.kind == "static":
        return value
    if value.kind == "class":
        return Bound(value, receiver.cls if isinstance(receiver, Instance) else receiver)
    return Bound(value, receiver)


def _of_class(it: Interpreter, value: Class, name: str, node: ast.AST) -> Value:
    found = class_attribute(it, value, name)
    if found is not None:
        return join(
            Bound(option, value) if isinstance(option, Function) and option.kind == "class" else option
            for option in each(found)
        )
    if name == "__dict__":
        return Namespace(value)
    if name in {"__base__", "__bases__", "__mro__"}:
        if name in {"__mro__", "__bases__"}:
            return Dunder("mro" if not value.bases or name == "__mro__" else "bases")
        return value.bases[0] if value.bases else it.ref("builtins.object")
    if name == "__name__":
        return Const(value.name)
    if name == "mro":
        return Dunder("mro-method")
    if name == "__class__":
        return it.ref("builtins.type")
    if isinstance(value.meta, Class):
        from toolchain.scan.evaluate.calls import call_function

        hook = class_attribute(it, value.meta, "__getattr__")
        if isinstance(hook, Function):
            return call_function(it, hook, [value, Const(name)], {}, node)
    return introspect(it, name, node) if name in {"__getattribute__", "__init__"} else UNKNOWN


def class_attribute(it: Interpreter, cls: Class, name: str, depth: int = 8) -> Value | None:
    """An attribute of a class or of its bases."""
    found = cls.frame.get_ever(name)
    if found is not None:
        return found
    for base in cls.bases if depth else ():
        for option in each(base):
            real = option
            if isinstance(option, OwnName):
                from toolchain.scan.evaluate.modules import force

                real = force(it, option)
            if isinstance(real, Class) and real is not cls:
                inherited = class_attribute(it, real, name, depth - 1)
                if inherited is not None:
                    return inherited
            elif isinstance(real, Ref):
                path = it.policy.canonical(f"{real.path}().{name}")
                if it.policy.match(path) is not None:
                    return Ref(path, real.trail)
    return None


def class_of(it: Interpreter, value: Value) -> Value:
    """``type(value)``."""
    if isinstance(value, Instance):
        return value.cls
    if isinstance(value, Const):
        return it.ref(f"builtins.{_TYPES.get(type(value.value), 'object')}")
    if isinstance(value, Seq):
        return it.ref(f"builtins.{value.kind if value.kind != 'generator' else 'object'}")
    if isinstance(value, (Map, FrameDict)):
        return it.ref("builtins.dict")
    if isinstance(value, Class):
        return it.ref("builtins.type")
    if isinstance(value, Ref) and value.path.startswith("builtins."):
        return it.ref("builtins.type")
    if isinstance(value, Dunder) and value.kind == "class":
        return it.ref("builtins.type")
    if isinstance(value, Function):
        return it.ref("types.FunctionType")
    if isinstance(value, Dunder) and value.kind == "code":
        return it.ref("types.CodeType")
    return Dunder("class")


def _of_function(it: Interpreter, value: Function | Bound, name: str, node: ast.AST) -> Value:
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
    if name == "__name__":
        return Const(function.name)
    if name in {"cache_clear", "cache_info", "register"}:
        return UNKNOWN
    return introspect(it, name, node) if name in _INTROSPECTION else UNKNOWN


def introspect(it: Interpreter, name: str, node: ast.AST, trail: tuple[str, ...] = ()) -> Value:
    """An introspection attribute of something not known further."""
    if name in {"__builtins__", "f_builtins"}:
        path = f"?.{name}"
        it.emit(it.policy.rules["introspection.builtins"], path, node, trail)
        return it.ref("builtins", (f"line {_line(node)}: {path}",))
    if name in {"__globals__", "f_globals", "func_globals", "f_locals"}:
        return Dunder("globals", (f"line {_line(node)}: .{name}",))
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
    if name in {"__getattribute__", "__reduce__", "__reduce_ex__"}:
        return Dunder(name.strip("_"))
    if name in {"__code__", "f_code", "gi_code", "co_code"}:
        return Dunder("code")
    if name in _FRAMES:
        return Dunder("frame")
    return UNKNOWN


def _of_dunder(it: Interpreter, value: Dunder, name: str, node: ast.AST) -> Value:
    kind = value.kind
    if name == "__subclasses__" and kind in {"base", "mro[]", "class-of-class"}:
        found = it.ref(
            "builtins.object.__subclasses__", (f"line {_line(node)}: a base class reached by introspection",)
        )
        return it.mention(found, node)
    if kind in {"globals", "dict", "mro", "bases"}:
        return Method(value, name)
    if kind == "code" and name == "replace":
        return it.ref("types.CodeType", (f"line {_line(node)}: a code object's replace",))
    if kind == "class" and name == "__class__":
        return it.ref("builtins.type")
    if kind == "class" and name in {"__base__", "__bases__", "__mro__", "mro", "__subclasses__"}:
        return Dunder({"__base__": "base", "__bases__": "bases", "mro": "mro-method"}.get(name, name.strip("_")))
    if kind in {"loader", "spec"}:
        if kind == "spec" and name == "loader":
            return Dunder("loader")
        if kind == "loader" and name in {"load_module", "exec_module", "create_module", "find_module"}:
            return it.mention(it.ref(f"__loader__.{name}"), node)
        return UNKNOWN
    if kind == "function" and name == "__globals__":
        return Dunder("globals", (*value.trail, f"line {_line(node)}: .__globals__"))
    return introspect(it, name, node) if name in _INTROSPECTION else UNKNOWN


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 1)
