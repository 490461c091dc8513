"""``getattr`` and its like: attributes whose name is itself a value."""

from __future__ import annotations

import ast

from toolchain.scan.evaluate.interpreter import Interpreter
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Class,
    Const,
    Function,
    Instance,
    OwnModule,
    OwnName,
    Ref,
    Union,
    Value,
    each,
    join,
)


def dynamic_attribute(
    it: Interpreter, target: Value, name: Value, node: ast.AST, default: Value | None = None
) -> Value:
    """``getattr(target, name)`` where the name is a value."""
    results = []
    for option in each(name):
        if isinstance(option, Const) and isinstance(option.value, str):
            for part in each(target):
                results.append(_named(it, part, option.value, node))  # noqa: PERF401 - reads better with its twin below
            continue
        for part in each(target):
            results.append(nameless_attribute(it, part, node))  # noqa: PERF401 - as above
    if default is not None:
        results.append(default)
    return join(results)


def _named(it: Interpreter, target: Value, name: str, node: ast.AST) -> Value:
    judge_spelling(it, name, node)
    found = it.attribute(target, name, node)
    if isinstance(found, Ref):
        how = f"line {getattr(node, 'lineno', 1)}: attribute {name!r} by name"
        return found.step(found.path, how)
    return found


def judge_spelling(it: Interpreter, name: str, node: ast.AST) -> None:
    """A way to the built-ins that no attribute spells: put together, or a step of a path in a string."""
    if name in _WAYS and not (isinstance(node, ast.Call) and len(node.args) > 1 and _is_plain_getattr(node)):
        it.emit_named("introspection.builtins", f"?.{name}", node, "named by a string")


_WAYS = frozenset({"__globals__", "__builtins__", "__subclasses__", "func_globals", "f_builtins"})


def _is_plain_getattr(node: ast.Call) -> bool:
    """``getattr(f, "__globals__", {})``, as libraries write it."""
    return (
        isinstance(node.args[1], ast.Constant)
        and isinstance(node.func, ast.Name)
        and node.func.id in {"getattr", "hasattr"}
    )


def nameless_attribute(it: Interpreter, target: Value, node: ast.AST) -> Value:
    if isinstance(target, OwnName):
        forced = it.force(target)
        return (
            UNKNOWN
            if isinstance(forced, OwnName)
            else join(nameless_attribute(it, part, node) for part in each(forced))
        )
    if isinstance(target, Ref) and target.path in it.policy.sensitive:
        return it.mention(target.step(f"{target.path}.?"), node)
    if it.package.large:
        return UNKNOWN
    if isinstance(target, Ref):  # where it is a module, any module that it imports
        return join((it.ref("sys.modules.?", target.trail), UNKNOWN)) if _may_be_module(target) else UNKNOWN
    if isinstance(target, OwnModule):
        module = it.package.module(target.name)
        return _any_of([] if module is None else list(module.frame.ever.values()))
    if isinstance(target, Instance):
        return _any_of([*target.attributes.values(), *target.cls.frame.ever.values()])
    if isinstance(target, Class):
        return _any_of(list(target.frame.ever.values()))
    return UNKNOWN


def _may_be_module(target: Ref) -> bool:
    """A module's name has small letters only, by all custom; what a call gives is none."""
    last = target.path.rpartition(".")[2]
    return last.islower() and last.isidentifier() and not target.path.startswith(("builtins.", "sys.modules"))


def _any_of(values: list[Value]) -> Value:
    """Any of the things that a namespace of the tree holds, as far as they can matter."""
    return join([*[value for value in values if isinstance(value, (Ref, OwnName, Function, Union))][:8], UNKNOWN])
