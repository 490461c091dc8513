"""Instances and classes of the tree: what their attributes are, and how they are made."""

from __future__ import annotations

import ast

from toolchain.scan.evaluate.annotated import annotations_in
from toolchain.scan.evaluate.interpreter import Interpreter
from toolchain.scan.evaluate.introspection import INTROSPECTION, introspect
from toolchain.scan.evaluate.power import powerful
from toolchain.scan.evaluate.values import (
    CONTENT,
    MOST_SUBCLASSES,
    UNKNOWN,
    Bound,
    Class,
    Const,
    Dunder,
    FrameDict,
    Function,
    Instance,
    Map,
    Namespace,
    OwnName,
    Ref,
    Seq,
    Value,
    each,
    join,
)

_TYPES = {
    str: "str",
    bytes: "bytes",
    int: "int",
    float: "float",
    bool: "bool",
    type(None): "NoneType",
    complex: "complex",
}


def attribute_of_instance(it: Interpreter, value: Instance, name: str, node: ast.AST) -> Value:
    if name == "__class__":
        return value.cls
    if name == "__dict__":
        return Namespace(value)
    found = [value.attributes[name]] if name in value.attributes else []
    shared = value.cls.instance
    if shared is value and found and not it.package.large:
        found += _of_subclasses(it, value, name)
    if shared is not None and shared is not value and name in shared.attributes:
        found.append(shared.attributes[name])
    if found:
        return join(found)
    inherited = class_attribute(it, value.cls, name)
    wanted = shared is value and (inherited is None or not it.package.large)
    below = _of_subclasses(it, value, name) if wanted else []
    if inherited is not None or below:
        options = [*(each(inherited) if inherited is not None else ()), *below]
        return join(_bind(it, option, value, node) for option in options)
    if CONTENT in value.attributes:
        return it.attribute(value.attributes[CONTENT], name, node)
    for hook in ("__getattr__", "__getattribute__"):
        function = class_attribute(it, value.cls, hook)
        if isinstance(function, Function):
            return it.call_function(function, [value, Const(name)], {}, node)
    return introspect(it, name, node) if name in INTROSPECTION else UNKNOWN


def _of_subclasses(it: Interpreter, value: Instance, name: str) -> list[Value]:
    """What an attribute may be where the object is of a subclass, which may have other bases too."""
    found: list[Value] = []
    stack, seen = list(value.cls.subclasses), {value.cls}
    while stack and len(seen) < MOST_SUBCLASSES:
        cls = stack.pop()
        if cls in seen:
            continue
        seen.add(cls)
        stack += cls.subclasses
        own = cls.instance.attributes.get(name) if cls.instance is not None else None
        for option in (own, class_attribute(it, cls, name)):
            if option is not None:
                found += [part for part in each(option) if _worth_joining(it, part)]
    return found


def _worth_joining(it: Interpreter, value: Value) -> bool:
    """Whether a subclass's attribute can give its base's methods anything: a name, power, or a call that does."""
    if isinstance(value, Function):
        # Until it has been read, what it returns is not known: then it is asked again.
        it.dirty = it.dirty or (value.returns is None and not it.package.large)
        return value.returns is not None and powerful(it, value.returns)
    return isinstance(value, Const) or powerful(it, value)


def _bind(it: Interpreter, value: Value, receiver: Value, node: ast.AST) -> Value:
    if not isinstance(value, Function):
        if isinstance(value, Instance):
            getter = class_attribute(it, value.cls, "__get__")
            if isinstance(getter, Function):
                return it.call_function(getter, [value, receiver, UNKNOWN], {}, node)
        return value
    if value.kind == "property":
        return it.call_function(value, [receiver], {}, node)
    if value.kind == "static":
        return value
    if value.kind == "class":
        return Bound(value, receiver.cls if isinstance(receiver, Instance) else receiver)
    return Bound(value, receiver)


def attribute_of_class(it: Interpreter, value: Class, name: str, node: ast.AST) -> Value:
    found = class_attribute(it, value, name)
    if found is not None:
        return join(
            Bound(option, value) if isinstance(option, Function) and option.kind == "class" else option
            for option in each(found)
        )
    if name == "__dict__":
        return Namespace(value)
    if name == "__annotations__":
        return annotations_in(it, value.frame)
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
        hook = class_attribute(it, value.meta, "__getattr__")
        if isinstance(hook, Function):
            return it.call_function(hook, [value, Const(name)], {}, node)
    if name in {"__getattribute__", "__init__"}:
        return introspect(it, name, node)
    return join(_of_subclasses(it, shared_instance(value), name)) if value.subclasses else UNKNOWN


def class_attribute(it: Interpreter, cls: Class, name: str, depth: int = 8) -> Value | None:
    """An attribute of a class or of its bases."""
    found = cls.frame.get_ever(name)
    if found is not None:
        return found
    for base in cls.bases if depth else ():
        for option in each(base):
            real = option
            if isinstance(option, OwnName):
                real = it.force(option)
            if isinstance(real, Class) and real is not cls:
                inherited = class_attribute(it, real, name, depth - 1)
                if inherited is not None:
                    return inherited
            elif isinstance(real, Ref):
                path = it.policy.canonical(f"{real.path}().{name}")
                if it.policy.match(path) is not None or path.startswith("string.Formatter()."):
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
    if isinstance(value, Dunder) and value.kind == "loader":
        return it.ref("importlib.machinery.SourceFileLoader")
    if isinstance(value, Dunder) and value.kind == "code":
        return it.ref("types.CodeType")
    return Dunder("class")


def metaclass_of(it: Interpreter, cls: Class, depth: int = 8) -> Class | None:
    """The class of a class, its own or inherited, where it is one of the tree's."""
    if isinstance(cls.meta, (Class, OwnName)):
        meta = it.force(cls.meta)
        return meta if isinstance(meta, Class) else None
    for base in cls.bases if depth else ():
        for option in each(base):
            real = it.force(option)
            found = metaclass_of(it, real, depth - 1) if isinstance(real, Class) and real is not cls else None
            if found is not None:
                return found
    return None


def shared_instance(cls: Class) -> Instance:
    """The instance that stands for all of a class."""
    if cls.instance is None:
        cls.instance = Instance(cls)
    return cls.instance
