"""Calls of what lies outside the tree: policy first, then a model of what the call gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from toolchain.scan.evaluate import pure
from toolchain.scan.evaluate.dynamic import dynamic_attribute
from toolchain.scan.evaluate.folding import fold
from toolchain.scan.evaluate.interpreter import Call, Interpreter
from toolchain.scan.evaluate.iteration import iterated
from toolchain.scan.evaluate.judge import judge_call
from toolchain.scan.evaluate.methods import call_method
from toolchain.scan.evaluate.models import MODELS
from toolchain.scan.evaluate.models.callables import call_back
from toolchain.scan.evaluate.pure_functions import FUNCTIONS, PATH_JOINING
from toolchain.scan.evaluate.subscripts import set_attribute
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Bound,
    Carrier,
    Class,
    Const,
    Dunder,
    Function,
    Instance,
    Map,
    Method,
    Ref,
    Seq,
    Value,
    each,
    join,
    texts,
)


def call_outside(it: Interpreter, function: Ref, request: Call) -> Value:
    """Call something by its canonical name."""
    path = function.path
    judge_call(it, function, request)
    model = MODELS.get(path)
    if model is not None:
        if path in _ITERATING and any(isinstance(arg, (Instance, Ref)) for arg in request.args):
            args = [iterated(it, arg, request.node) for arg in request.args]
            request = Call(args, request.kwargs, request.node, request.extra)
        return model(it, request)
    if path in FUNCTIONS and not request.extra:
        given = _positional(request)
        if path in PATH_JOINING and given and pure.is_process_path(given[0]):
            given = [Const(pure.ANYTHING) if value is UNKNOWN else value for value in given]
        return fold(FUNCTIONS[path], *given)
    if path.endswith((".__getattribute__", ".__getattr__")) and len(request.args) >= 2:
        return dynamic_attribute(it, request.args[-2], request.args[-1], request.node)
    if path.startswith("builtins.") and path.count(".") == 2:
        return _unbound(it, path, request)
    if request.args and path.rpartition(".")[2] in _PASSING:
        return request.args[0]
    if not path.startswith(("builtins.", "inspect.", "copy.")):
        for value in (*request.args, *request.kwargs.values()):
            call_back(it, value, request)
    if path in _followed(it):
        return Ref(it.policy.canonical(f"{path}()"), function.trail)

    return carried(it, request)


_ITERATING = frozenset(
    f"builtins.{name}"
    for name in (
        "list",
        "tuple",
        "set",
        "iter",
        "next",
        "map",
        "filter",
        "zip",
        "enumerate",
        "sorted",
        "reversed",
        "dict",
    )
)


_PASSING = frozenset(
    [
        "wraps",
        "lru_cache",
        "cache",
        "cached_property",
        "contextmanager",
        "asynccontextmanager",
        "staticmethod",
        "total_ordering",
    ]
)


def _followed(it: Interpreter) -> frozenset[str]:
    """Paths whose call's result some rule or alias names, or that are modules' own doors."""
    global _FOLLOWED  # noqa: PLW0603 - computed once from the policy
    if _FOLLOWED is None:
        names = [
            *it.policy.exact,
            *it.policy.prefixes,
            *it.policy.aliases,
            *MODELS,
            "builtins.object.__subclasses__()",
        ]
        found = set()
        for name in names:
            start = 0
            while (at := name.find("()", start)) >= 0:
                found.add(name[:at])
                start = at + 2
        _FOLLOWED = frozenset(found)
    return _FOLLOWED


_FOLLOWED: frozenset[str] | None = None


def _positional(request: Call) -> list[Value]:
    return [*request.args, *(value for key, value in request.kwargs.items() if key != "errors")]


def _unbound(it: Interpreter, path: str, request: Call) -> Value:
    """``str.join(",", x)``, ``dict.get(d, k)``, ``type.__subclasses__(object)``."""
    kind, name = path.split(".")[1:]
    if name == "__setattr__" and len(request.args) >= 3:
        for text in texts(request.args[1]):
            set_attribute(it, request.args[0], text, request.args[2])
        return Const(None)
    if name == "__new__" and request.args:
        return call_new(it, request.args[0], request)
    if name == "__subclasses__":
        return it.ref("builtins.object.__subclasses__()")
    if name == "mro":
        return Dunder("mro")
    if request.args and kind in {"str", "bytes", "list", "dict", "tuple", "set", "bytearray", "int"}:
        rest = Call(request.args[1:], request.kwargs, request.node)
        return join(call_method(it, Method(option, name), rest) for option in each(request.args[0]))
    return UNKNOWN


def call_new(it: Interpreter, cls: Value, request: Call) -> Value:
    """``object.__new__(cls)``."""
    return Instance(cls) if isinstance(cls, Class) else UNKNOWN


def carried(it: Interpreter, request: Call) -> Value:
    """What a call outside gives when doors are handed in: something that may hand them out again."""
    held = [
        option
        for value in (*request.args, *request.kwargs.values())
        if type(value) is not Const and value is not UNKNOWN
        for option in _handed_over(it, value, request)
        if type(option) is Ref and option.path in it.policy.sensitive
    ]
    if not held:
        return UNKNOWN
    called = request.node.func if isinstance(request.node, ast.Call) else None
    if isinstance(called, ast.Attribute) and called.attr in _REPLACING:
        return Carrier(tuple(held))
    names = {text for value in request.args for text in texts(value)}
    for door in held:
        for name in names:  # a helper that is told which attribute to take
            it.mention(it.ref(f"{door.path}.{name}", door.trail), request.node)
        if not names:
            it.lose(door)
    return Carrier(tuple(held))


def _handed_over(it: Interpreter, value: Value, request: Call) -> Iterator[Value]:
    """What something outside gets at through an argument: itself, its items, what it returns when called."""
    for option in each(value):
        if isinstance(option, Seq):
            yield from option.items[:8]
        elif isinstance(option, Map):
            yield from list(option.items.values())[:8]
        elif isinstance(option, Instance):
            yield from list(option.attributes.values())[:8]
        elif isinstance(option, Bound):
            yield from each(option.function.returns or UNKNOWN)
        elif isinstance(option, Function) and (isinstance(option.node, ast.Lambda) or option.returns is not None):
            yield from each(it.call_function(option, [], {}, request.node))
        else:
            yield option


_REPLACING = frozenset({"setattr", "delattr", "object", "setitem"})
"""``monkeypatch.setattr(os, "fork", …)`` and ``patch.object`` put something in place of what they name."""
