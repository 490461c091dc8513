"""Subscripts: of containers, of namespaces seen as dictionaries, and of what introspection reaches."""

from __future__ import annotations

import ast
from typing import TypeGuard

from toolchain.scan.evaluate.dynamic import dynamic_attribute
from toolchain.scan.evaluate.folding import NotKnown, concrete, fold
from toolchain.scan.evaluate.frames import MAYBE_UNBOUND
from toolchain.scan.evaluate.interpreter import Interpreter
from toolchain.scan.evaluate.judge import judge_defaults, judge_environment, judge_search_path
from toolchain.scan.evaluate.modules import import_module
from toolchain.scan.evaluate.objects import class_attribute
from toolchain.scan.evaluate.power import powerful
from toolchain.scan.evaluate.pure import LIMIT
from toolchain.scan.evaluate.values import (
    CONTENT,
    UNKNOWN,
    Carrier,
    Class,
    Const,
    Dunder,
    FrameDict,
    Function,
    Instance,
    Map,
    Namespace,
    OwnModule,
    OwnName,
    Ref,
    Seq,
    Unknown,
    Value,
    each,
    join,
    join2,
    texts,
)


def get_item(it: Interpreter, value: Value, key: Value, node: ast.AST) -> Value:
    """``value[key]`` for every alternative of both."""
    if value is UNKNOWN:
        return UNKNOWN
    it.burn()
    results = [_item(it, option, wanted, node) for option in each(value) for wanted in each(key)]
    return it.mention(results[0] if len(results) == 1 else join(results), node)


def _item(it: Interpreter, value: Value, key: Value, node: ast.AST) -> Value:
    if isinstance(value, OwnName):
        forced = it.force(value)
        return UNKNOWN if isinstance(forced, OwnName) else it.item(forced, key, node)
    if isinstance(value, Seq):
        return _of_seq(value, key)
    if isinstance(value, Map):
        return _of_map(it, value, key, node)
    if isinstance(value, Const):
        return fold(lambda items, index: items[index], value, key)
    if isinstance(value, (FrameDict, Namespace)):
        return _of_namespace(it, value, key, node)
    if isinstance(value, Ref):
        return _of_ref(it, value, key, node)
    if isinstance(value, Carrier):
        named = [it.attribute(value, text, node) for text in texts(key)]  # it may be the module as a dictionary
        return join((*value.held, *named, value))
    if isinstance(value, Dunder):
        return _of_dunder(it, value, key, node)
    if isinstance(value, (Instance, Class)):
        return _of_object(it, value, key, node)
    return UNKNOWN


def _of_seq(value: Seq, key: Value) -> Value:
    if isinstance(key, Const) and isinstance(key.value, (int, slice)) and value.exact:
        try:
            picked = value.items[key.value]
        except (IndexError, TypeError, ValueError):
            return UNKNOWN
        return Seq(value.kind, picked) if isinstance(picked, list) else picked
    return join([*value.items, *([] if value.exact and value.items else [UNKNOWN])])


def _of_map(it: Interpreter, value: Map, key: Value, node: ast.AST) -> Value:
    try:
        wanted = concrete(key)
        if wanted in value.items:
            return value.items[wanted]
    except (NotKnown, TypeError):
        spread = [it.item(inner, UNKNOWN, node) for inner in value.spread]
        return join([*value.items.values(), *spread, value.rest or UNKNOWN])
    if value.spread:
        return join([*(it.item(inner, key, node) for inner in value.spread), value.rest or UNKNOWN])
    return value.rest if value.rest is not None else UNKNOWN


def _of_namespace(it: Interpreter, value: FrameDict | Namespace, key: Value, node: ast.AST) -> Value:
    if isinstance(value, Namespace):
        if isinstance(value.owner, Class) and isinstance(key, Const):
            return class_attribute(it, value.owner, str(key.value)) or UNKNOWN
        return dynamic_attribute(it, value.owner, key, node)
    frame = value.frame
    if not isinstance(key, Const) or not isinstance(key.value, str):
        strong = [item for item in frame.ever.values() if not isinstance(item, Const)]
        return join([*strong[:8], Dunder("maybe-builtins"), UNKNOWN])
    found = frame.get_ever(key.value)
    if found is not None:
        return found
    if key.value == "__builtins__":
        it.emit(it.policy.rules["introspection.builtins"], "globals().__builtins__", node)
        return it.ref("builtins", (f"line {getattr(node, 'lineno', 1)}: globals()['__builtins__']",))
    if key.value in {"__loader__", "__spec__"}:
        return Dunder(key.value.strip("_"))
    for star in frame.stars:
        if isinstance(star, Ref):
            path = it.policy.canonical(f"{star.path}.{key.value}")
            if it.policy.match(path) is not None:
                return Ref(path, star.trail)
    return UNKNOWN


def _of_ref(it: Interpreter, value: Ref, key: Value, node: ast.AST) -> Value:
    text = key.value if isinstance(key, Const) and isinstance(key.value, str) else None
    if value.path == "sys.modules":
        if text is None:
            return it.ref("sys.modules.?", value.trail)
        if text in {it.module.name, "__main__"}:
            return OwnModule(it.module.name)
        return import_module(it, text, node)
    if value.path in {"builtins", "__builtins__", "builtins.__dict__"}:
        if text is None:
            it.emit(it.policy.rules["introspection.builtins"], "builtins.?", node, value.trail)
            return it.ref("builtins.?", value.trail)
        return it.attribute(it.ref("builtins", value.trail), text, node)
    if value.path == "importlib.metadata.entry_points()":
        return value if text is not None else it.ref(f"{value.path}[]", value.trail)
    if value.path == "builtins.object.__subclasses__()":
        return Dunder("class", value.trail)
    return value if _is_generic(value.path) else UNKNOWN


def _is_generic(path: str) -> bool:
    """Whether a subscript of a library's class is that class still: ``dict[str, int]``."""
    root, _, name = path.partition(".")
    return name in _CONTAINERS if root == "builtins" else root == "typing" or path.startswith("collections.abc.")


_CONTAINERS = frozenset({"dict", "list", "tuple", "set", "frozenset", "type"})


def _of_dunder(it: Interpreter, value: Dunder, key: Value, node: ast.AST) -> Value:
    if value.kind in {"mro", "bases"}:
        index = key.value if isinstance(key, Const) else None
        if value.kind == "mro" and index == 0:
            return Dunder("class")
        return Dunder("base")
    if value.kind == "subclasses":
        return Dunder("class")
    text = key.value if isinstance(key, Const) else None
    if value.kind == "maybe-builtins" and it.policy.match(f"builtins.{text}") is not None:
        return it.attribute(it.ref("builtins"), str(text), node)
    if value.kind in {"globals", "dict"} and isinstance(text, str):
        if text == "__builtins__":
            name = "?.__globals__.__builtins__"
            it.emit(it.policy.rules["introspection.builtins"], name, node, value.trail)
            return it.ref("builtins", (*value.trail, f"line {getattr(node, 'lineno', 1)}: ['__builtins__']"))
        if value.kind == "globals" and text.lstrip("_") in it.policy.carried:
            it.emit(it.policy.rules["introspection.builtins"], f"?.__globals__.{text}", node, value.trail)
            return it.ref(text.lstrip("_"), value.trail)
        if value.kind == "globals" and it.policy.match(f"os.{text}") is not None:
            it.emit(it.policy.rules["introspection.builtins"], f"?.__globals__.{text}", node, value.trail)
            return it.ref(f"os.{text}", value.trail)
        if value.kind == "globals":
            return Dunder("value-of-globals", value.trail)
    return UNKNOWN


def _of_object(it: Interpreter, value: Instance | Class, key: Value, node: ast.AST) -> Value:
    cls = value.cls if isinstance(value, Instance) else value
    names = ("__getitem__", "__missing__") if isinstance(value, Instance) else ("__class_getitem__", "__getitem__")
    found = get_item(it, value.attributes[CONTENT], key, node) if _holds(value) else UNKNOWN
    if found is not UNKNOWN:
        return found
    for name in names:
        function = class_attribute(it, cls, name)
        if isinstance(function, Function):
            return it.call_function(function, [value, key], {}, node)
    return value if isinstance(value, Class) else UNKNOWN  # Base[int] is Base


def _holds(value: Value) -> TypeGuard[Instance]:
    return isinstance(value, Instance) and CONTENT in value.attributes


def set_item(it: Interpreter, target: Value, key: Value, value: Value, node: ast.AST) -> None:
    """``target[key] = value``."""
    judge_environment(it, target, key, node)
    if it.shadow:
        return
    for option in each(_real(it, target)):
        if isinstance(option, (Unknown, Ref)):
            lose_all(it, value)
            if isinstance(option, Ref):
                judge_defaults(it, option.path, node)
                if option.path == "sys.path":
                    judge_search_path(it, value, node)
        elif isinstance(option, Map):
            _set_in_map(option, key, value)
        elif isinstance(option, (FrameDict, Namespace)):
            _set_in_namespace(it, option, key, value)
        elif isinstance(option, Seq):
            _set_in_seq(option, key, value)
        elif isinstance(option, Instance):
            if _holds(option):
                set_item(it, option.attributes[CONTENT], key, value, node)
            function = class_attribute(it, option.cls, "__setitem__")
            if isinstance(function, Function):
                it.call_function(function, [option, key, value], {}, node)


def _set_in_namespace(it: Interpreter, target: FrameDict | Namespace, key: Value, value: Value) -> None:
    if not isinstance(key, Const) or not isinstance(key.value, str):
        lose_all(it, value)  # any name may be it from then on
    elif isinstance(target, FrameDict):
        target.frame.add(key.value, value)
    else:
        set_attribute(it, target.owner, key.value, value)


def forget_item(target: Value, key: Value) -> None:
    """``del globals()[key]``, and ``pop``: the name may be unbound from then on."""
    for option in each(target):
        if isinstance(option, FrameDict):
            for text in texts(key):
                option.frame.add(text, MAYBE_UNBOUND)


def lose_all(it: Interpreter, value: Value) -> None:
    """Note which modules that open doors go out of sight with a value."""
    for option in each(value):
        if isinstance(option, Ref) and option.path in it.policy.sensitive:
            it.lose(option)


def _real(it: Interpreter, target: Value) -> Value:
    """The thing behind a name that is imported from the tree."""
    if isinstance(target, OwnName):
        return it.force(target)
    return target


def _set_in_map(target: Map, key: Value, value: Value) -> None:
    try:
        wanted = concrete(key)
        hash(wanted)
    except (NotKnown, TypeError):
        target.rest = join((value, target.rest or UNKNOWN))
        return
    if len(target.items) < LIMIT:
        before = target.items.get(wanted)
        target.items[wanted] = value if before is None or isinstance(value, Const) else join2(before, value)


def _set_in_seq(target: Seq, key: Value, value: Value) -> None:
    if (
        isinstance(key, Const)
        and isinstance(key.value, int)
        and -len(target.items) <= key.value < len(target.items)
    ):
        target.items[key.value] = value
    elif isinstance(key, Const) and isinstance(key.value, slice) and isinstance(value, Seq) and target.exact:
        try:
            target.items[key.value] = value.items
        except (ValueError, TypeError):
            target.exact = False
    else:
        target.items.append(value)
        target.exact = False


def set_attribute(it: Interpreter, target: Value, name: str, value: Value) -> None:
    """``target.name = value``."""
    for option in each(_real(it, target)):
        if isinstance(option, (Unknown, Ref)):
            lose_all(it, value)
        elif isinstance(option, Instance):
            before = option.attributes.get(name)
            option.attributes[name] = value if before is None else join2(before, value)
            if before is None and value is not UNKNOWN:
                shared = option.cls.instance
                if shared is not None and shared is not option:
                    shared.attributes[name] = join2(shared.attributes.get(name, value), value)
                it.dirty = it.dirty or it.module.dynamic or powerful(it, value)
        elif isinstance(option, Class):
            option.frame.add(name, value)
        elif isinstance(option, OwnModule):
            module = it.package.module(option.name)
            if module is not None:
                module.frame.add(name, value)
        elif isinstance(option, Function):
            option.defaults[f".{name}"] = value
