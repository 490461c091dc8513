"""What a function's parameters stand for, and which calls are worth following with their own arguments."""

from __future__ import annotations

import ast
from collections.abc import Iterable

from toolchain.scan.evaluate.folding import contents
from toolchain.scan.evaluate.frames import Frame
from toolchain.scan.evaluate.interpreter import MAX_NESTED, Interpreter
from toolchain.scan.evaluate.judge import FLAGS
from toolchain.scan.evaluate.objects import shared_instance
from toolchain.scan.evaluate.power import POWERLESS, powerful
from toolchain.scan.evaluate.values import (
    RECEIVER,
    UNKNOWN,
    Bound,
    Class,
    Const,
    Function,
    Instance,
    Map,
    OwnName,
    Ref,
    Seq,
    Value,
    each,
    join,
)


def remember_inputs(it: Interpreter, function: Function, args: list[Value], kwargs: dict[str, Value]) -> None:
    """Keep what is handed to a call that is not followed, for the next time the function's body is read."""
    if all(type(value) in POWERLESS for value in (*args, *kwargs.values())):
        return
    spec = function.node.args
    positional = [parameter.arg for parameter in (*spec.posonlyargs, *spec.args)]
    given = {**dict(zip(positional, args, strict=False)), **kwargs}
    if spec.vararg is not None and len(args) > len(positional):
        given[spec.vararg.arg] = Seq("tuple", args[len(positional) :])
    for name, value in given.items():
        if type(value) in POWERLESS:
            continue
        kept = [_shared(option) for option in each(value) if _carries(it, option)]
        before = function.inputs.get(name)
        known = {_sameness(option) for option in each(before)} if before is not None else set()
        new = [option for option in kept if _sameness(option) not in known]
        if new and len(known) < _MOST_INPUTS:
            function.inputs[name] = join([*([before] if before is not None else []), *new])
            seen = function.returns is not None
            it.dirty = it.dirty or (seen and any(isinstance(o, Function) or powerful(it, o) for o in new))


_MOST_INPUTS = 12


def _carries(it: Interpreter, value: Value) -> bool:
    """Whether a value is worth handing on; in a large tree only what opens doors is."""
    if isinstance(value, (Function, Class, Instance, Bound, OwnName)):
        return not it.package.large
    return value is not UNKNOWN and not isinstance(value, Const) and powerful(it, value)


def _shared(value: Value) -> Value:
    """One object for all instances of a class, so that handing them on comes to an end."""
    return value.cls.instance if isinstance(value, Instance) and value.cls.instance is not None else value


def _sameness(value: Value) -> object:
    if isinstance(value, Function):
        return id(value.node)
    return value.path if isinstance(value, Ref) else value.name if isinstance(value, OwnName) else id(value)


def bind_arguments(
    it: Interpreter,
    function: Function,
    frame: Frame,
    given: tuple[list[Value], dict[str, Value]],
    *,
    lenient: bool = False,
) -> None:
    """Bind the parameters in a new frame; ``lenient`` for a body that is read without one certain call."""
    args, kwargs = given
    spec = function.node.args
    positional = [*spec.posonlyargs, *spec.args]
    rest = dict(kwargs)
    for position, parameter in enumerate(positional):
        if position < len(args):
            value = args[position]
        elif parameter.arg in rest:
            value = rest.pop(parameter.arg)
        else:
            value = _default(it, function, parameter, lenient=lenient)
        frame.set(parameter.arg, value)
    for parameter in spec.kwonlyargs:
        value = (
            rest.pop(parameter.arg)
            if parameter.arg in rest
            else _default(it, function, parameter, lenient=lenient)
        )
        frame.set(parameter.arg, value)
    if spec.vararg is not None:
        more = function.inputs.get(spec.vararg.arg) if lenient else None
        items = [*args[len(positional) :], *(contents(more) if more is not None else ())]
        frame.set(spec.vararg.arg, Seq("tuple", items, exact=not lenient))
    if spec.kwarg is not None:
        named = {key: value for key, value in function.inputs.items() if lenient and not frame.get(key)}
        frame.set(spec.kwarg.arg, Map({**named, **rest}, UNKNOWN if lenient else None))
    if function.owner is not None:
        frame.set("__class__", function.owner)
        if args:
            frame.set(RECEIVER, args[0])


def _default(it: Interpreter, function: Function, parameter: ast.arg, *, lenient: bool) -> Value:
    value = function.defaults.get(parameter.arg)
    if not lenient:
        return UNKNOWN if value is None else value
    options = [option for option in (value, function.inputs.get(parameter.arg)) if option is not None]
    declared = parameter.annotation
    if isinstance(declared, ast.Name):
        kind = function.frame.module.get_ever(declared.id)
        kind = it.force(kind) if kind is not None else kind
        if isinstance(kind, Class):
            options.append(shared_instance(kind))
    if getattr(declared, "attr", getattr(declared, "id", "")).endswith("EventLoop"):
        options += _event_loop(it, declared, function)
    return join([*options, UNKNOWN]) if options else UNKNOWN


def _event_loop(it: Interpreter, declared: ast.expr | None, function: Function) -> list[Value]:
    """What ``loop: asyncio.AbstractEventLoop`` says of a parameter."""
    root = declared.value if isinstance(declared, ast.Attribute) else declared
    found = function.frame.module.get_ever(root.id) if isinstance(root, ast.Name) else None
    path = (
        f"{found.path}.{declared.attr}" if isinstance(declared, ast.Attribute) and isinstance(found, Ref) else ""
    )
    return [it.ref(f"{path or found.path}()", found.trail)] if isinstance(found, Ref) else []


def sets_flag(function: Function, values: tuple[Value, ...], keywords: Iterable[str]) -> bool:
    """Whether a call may decide how a loader inside of the function is called."""
    if not FLAGS.isdisjoint(keywords):
        return True
    if not any(type(value) is Const and type(value.value) is bool for value in values):
        return False
    if function.loads is None:
        function.loads = any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr.startswith("load")
            for node in ast.walk(function.node)
        )
    return function.loads


def worth_following(
    it: Interpreter, function: Function, values: tuple[Value, ...], keywords: Iterable[str] = ()
) -> bool:
    """Whether to evaluate a call with its own arguments: they carry power, or the function is small enough."""
    if sets_flag(function, values, keywords):
        return _size(function) <= 4 * _SMALL
    for value in values:
        if type(value) not in POWERLESS and powerful(it, value):
            return _size(function) <= 4 * _SMALL
    if not it.root_dynamic or len(it.stack) > MAX_NESTED or _size(function) > _SMALL:
        return False
    return any(_concrete(value) for value in values)


_SMALL = 150


def count_nodes(node: ast.AST, most: int) -> int:
    """How many nodes a tree has, counted up to ``most``."""
    stack, count = [node], 0
    while stack and count < most:
        current = stack.pop()
        count += 1
        for child in vars(current).values():
            if isinstance(child, ast.AST):
                stack.append(child)
            elif type(child) is list:
                stack.extend(item for item in child if isinstance(item, ast.AST))
    return count


def _size(function: Function) -> int:
    if not function.size:
        function.size = count_nodes(function.node, 4 * _SMALL + 1)
    return function.size


def _concrete(value: Value) -> bool:
    """Whether a value holds text or numbers that names could be made of."""
    for option in each(value):
        if isinstance(option, Const):
            if option.value is not None and not isinstance(option.value, bool):
                return True
        elif isinstance(option, Seq):
            if option.items and all(isinstance(item, Const) for item in option.items[:8]):
                return True
        elif isinstance(option, (Function, OwnName)):
            return True
    return False
