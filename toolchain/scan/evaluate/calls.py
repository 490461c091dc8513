# one signature for a table of handlers; a dispatcher over kinds; one walk's state
# ruff: noqa: ARG001, C901, PLR0911, PLR0913, SIM102
"""Calls: of the tree's own functions, of built-in methods, and of what lies outside."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from toolchain.scan.evaluate.folding import contents
from toolchain.scan.evaluate.frames import Frame
from toolchain.scan.evaluate.interpreter import MAX_DEPTH, Activation, Call, EnoughFollowed
from toolchain.scan.evaluate.modules import force
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Bound,
    Carrier,
    Class,
    Const,
    Dunder,
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
    Value,
    each,
    join,
    texts,
)

if TYPE_CHECKING:
    from toolchain.scan.evaluate.interpreter import Interpreter
    from toolchain.scan.evaluate.package import Module

_NESTED = 7
_CALL_STEPS = 30_000


def call(it: Interpreter, function: Value, request: Call) -> Value:
    """What calling any of the alternatives gives."""
    if function is UNKNOWN:
        _read_query(it, request)
        return UNKNOWN if not request.args else carried(it, request)
    it.burn(2)
    results = [_call(it, option, request) for option in each(function)]
    return results[0] if len(results) == 1 else join(results)


def _read_query(it: Interpreter, request: Call) -> None:
    """``frame.eval(text)`` and ``frame.query(text)`` run what an @ names."""
    called = request.node.func if isinstance(request.node, ast.Call) else None
    if isinstance(called, ast.Attribute) and called.attr in {"eval", "query"} and request.args:
        from toolchain.scan.evaluate.natives import read_code

        texts_read = [
            Const(text.replace("@", "")) for text in texts(request.args[0]) if "(" in text or "__" in text
        ]
        if texts_read:
            read_code(it, Call([join(texts_read)], {}, request.node))


def _call(it: Interpreter, function: Value, request: Call) -> Value:
    from toolchain.scan.evaluate import methods, natives

    if isinstance(function, Ref):
        return natives.call_outside(it, function, request)
    if isinstance(function, OwnName):
        forced = force(it, function)
        return UNKNOWN if isinstance(forced, OwnName) else call(it, forced, request)
    if isinstance(function, Function):
        return call_function(it, function, request.args, request.kwargs, request.node)
    if isinstance(function, Bound):
        return call_function(
            it, function.function, [function.receiver, *request.args], request.kwargs, request.node
        )
    if isinstance(function, Class):
        return construct(it, function, request)
    if isinstance(function, Instance):
        from toolchain.scan.evaluate.attributes import get_attribute

        hook = get_attribute(it, function, "__call__", request.node)
        return call(it, hook, request) if not isinstance(hook, (Instance, Dunder)) else UNKNOWN
    if isinstance(function, Method):
        return methods.call_method(it, function, request)
    if isinstance(function, Partial):
        merged = Call([*function.args, *request.args], {**function.kwargs, **request.kwargs}, request.node)
        return call(it, function.function, merged)
    if isinstance(function, Getter):
        return methods.call_getter(it, function, request)
    if isinstance(function, Carrier):
        return join((*function.held, function))
    if isinstance(function, Dunder):
        return _call_dunder(it, function, request)
    return UNKNOWN


def carried(it: Interpreter, request: Call) -> Value:
    """What a call outside gives when doors are handed in: something that may hand them out again."""
    held = [
        option
        for value in (*request.args, *request.kwargs.values())
        for option in (each(value) if not isinstance(value, Seq) else value.items[:8])
        if isinstance(option, Ref) and option.path in it.policy.sensitive
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


_REPLACING = frozenset({"setattr", "delattr", "object", "setitem"})
"""``monkeypatch.setattr(os, "fork", …)`` and ``patch.object`` put something in place of what they name."""


def _call_dunder(it: Interpreter, function: Dunder, request: Call) -> Value:
    from toolchain.scan.evaluate.natives import dynamic_attribute

    if function.kind == "mro-method":
        return Dunder("mro")
    if function.kind == "getattribute" and request.args:
        target = request.args[-2] if len(request.args) > 1 else UNKNOWN
        return dynamic_attribute(it, target, request.args[-1], request.node)
    return UNKNOWN


def construct(it: Interpreter, cls: Class, request: Call) -> Value:
    """An instance of one of the tree's classes; its ``__init__`` sees the arguments."""
    from toolchain.scan.evaluate.attributes import class_attribute
    from toolchain.scan.evaluate.subscripts import set_attribute

    meta = _metaclass(it, cls)
    hook = class_attribute(it, meta, "__call__") if meta is not None else None
    if isinstance(hook, Function):
        return call_function(it, hook, [cls, *request.args], request.kwargs, request.node)
    made = Instance(cls)
    _shared_instance(cls)
    for name in ("__new__", "__init__"):
        function = class_attribute(it, cls, name)
        for option in each(function) if function is not None else ():
            if isinstance(option, Function):
                first = cls if name == "__new__" else made
                call_function(it, option, [first, *request.args], request.kwargs, request.node)
    if class_attribute(it, cls, "__init__") is None:
        fields = {**dict(zip(cls.frame.parameters, request.args, strict=False)), **request.kwargs}
        for name, value in fields.items():
            set_attribute(it, made, name, value)
    return made


def _metaclass(it: Interpreter, cls: Class, depth: int = 8) -> Class | None:
    """The class of a class, its own or inherited, where it is one of the tree's."""
    if isinstance(cls.meta, (Class, OwnName)):
        meta = force(it, cls.meta)
        return meta if isinstance(meta, Class) else None
    for base in cls.bases if depth else ():
        for option in each(base):
            real = force(it, option)
            found = _metaclass(it, real, depth - 1) if isinstance(real, Class) and real is not cls else None
            if found is not None:
                return found
    return None


def call_function(
    it: Interpreter, function: Function, args: list[Value], kwargs: dict[str, Value], node: ast.AST
) -> Value:
    """Call one of the tree's functions: evaluated anew when the arguments can matter, else from its summary."""
    if it.depth >= MAX_DEPTH or it.stack.count(function.node) >= _NESTED:
        return UNKNOWN
    module = it.package.file(function.frame.module_file) if function.frame.module_file else it.module
    module = module or it.module
    if not _worth_following(it, function, (*args, *kwargs.values())):
        _remember_inputs(it, function, args, kwargs)
        if function.returns is None and not function.visiting:
            with it.inside(function.frame, module, Activation()):
                visit_function(it, function)
        return function.returns if function.returns is not None else UNKNOWN
    key = _memo_key(function, args, kwargs)
    if key is not None and key in it.memo:
        return it.memo[key]
    result = _follow(it, function, module, (args, kwargs))
    if key is not None:
        it.memo[key] = result
    return result


def _remember_inputs(it: Interpreter, function: Function, args: list[Value], kwargs: dict[str, Value]) -> None:
    """Keep what is handed to a call that is not followed, for the next time the function's body is read."""
    spec = function.node.args
    positional = [parameter.arg for parameter in (*spec.posonlyargs, *spec.args)]
    given = {**dict(zip(positional, args, strict=False)), **kwargs}
    if spec.vararg is not None and len(args) > len(positional):
        given[spec.vararg.arg] = Seq("tuple", args[len(positional) :])
    for name, value in given.items():
        kept = [_shared(option) for option in each(value) if _carries(it, option)]
        before = function.inputs.get(name)
        known = {_sameness(option) for option in each(before)} if before is not None else set()
        new = [option for option in kept if _sameness(option) not in known]
        if new and len(known) < _MOST_INPUTS:
            function.inputs[name] = join([*([before] if before is not None else []), *new])
            it.dirty = True


_MOST_INPUTS = 12


def _carries(it: Interpreter, value: Value) -> bool:
    """Whether a value is worth handing on; in a large tree only what opens doors is."""
    if isinstance(value, (Function, Class, Instance, Bound, OwnName)):
        return not it.package.large
    return value is not UNKNOWN and not isinstance(value, Const) and _powerful(it, value)


def _shared(value: Value) -> Value:
    """One object for all instances of a class, so that handing them on comes to an end."""
    return value.cls.instance if isinstance(value, Instance) and value.cls.instance is not None else value


def _sameness(value: Value) -> object:
    if isinstance(value, Function):
        return id(value.node)
    return value.path if isinstance(value, Ref) else value.name if isinstance(value, OwnName) else id(value)


def _follow(
    it: Interpreter, function: Function, module: Module, given: tuple[list[Value], dict[str, Value]]
) -> Value:
    """Evaluate a call with its own arguments, within the allowance for such calls.

    Past the allowance the result is unknown, which every dynamic sink treats as dangerous.
    """
    outermost = not it.stack
    if outermost:
        it.allowance = min(_CALL_STEPS, it.follow_fuel)
    if it.allowance <= 0:
        return UNKNOWN
    frame = _frame(function)
    _bind_arguments(it, function, frame, *given)
    it.stack.append(function.node)
    before = it.fuel
    it.floor, floor = max(it.floor, it.fuel - it.allowance), it.floor
    try:
        with it.inside(frame, module, Activation(concrete=True)):
            return _body(it, function)
    except EnoughFollowed:
        if not outermost:
            raise
        return UNKNOWN
    finally:
        it.stack.pop()
        it.floor = floor
        if outermost:
            it.follow_fuel -= before - it.fuel
            it.allowance = 0


def _memo_key(function: Function, args: list[Value], kwargs: dict[str, Value]) -> tuple[object, ...] | None:
    if kwargs or not all(isinstance(arg, Const) for arg in args):
        return None
    return (id(function), *(arg.key() for arg in args if isinstance(arg, Const)))


def visit_function(it: Interpreter, function: Function, *, again: bool = False) -> None:
    """Evaluate a function with arguments that are not known, keeping what it returns as its summary."""
    if function.visiting or (function.returns is not None and not again) or it.depth > MAX_DEPTH + 8:
        return
    function.visiting = True
    frame = _frame(function)
    receiver: list[Value] = []
    if function.owner is not None and function.kind in {"function", "property"}:
        receiver = [_shared_instance(function.owner)]
    elif function.owner is not None and function.kind == "class":
        receiver = [function.owner]
    _bind_arguments(it, function, frame, receiver, {}, lenient=True)
    try:
        with it.inside(frame, it.module, Activation()):
            function.returns = _body(it, function)
    finally:
        function.visiting = False


def _frame(function: Function) -> Frame:
    outer: Frame | None = function.frame
    return Frame("function", function.frame.module, outer)


def _body(it: Interpreter, function: Function) -> Value:
    from toolchain.scan.evaluate.expressions import evaluate
    from toolchain.scan.evaluate.statements import execute

    node = function.node
    if isinstance(node, ast.Lambda):
        return evaluate(it, node.body)
    execute(it, node.body)
    if it.activation.yields:
        if it.activation.returns:  # what StopIteration carries
            it.raised.append(Carrier(tuple(o for value in it.activation.returns for o in each(value))))
        return Seq("generator", it.activation.yields[:256], exact=it.activation.concrete)
    return join(it.activation.returns) if it.activation.returns else Const(None)


def _bind_arguments(
    it: Interpreter,
    function: Function,
    frame: Frame,
    args: list[Value],
    kwargs: dict[str, Value],
    *,
    lenient: bool = False,
) -> None:
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


def _default(it: Interpreter, function: Function, parameter: ast.arg, *, lenient: bool) -> Value:
    value = function.defaults.get(parameter.arg)
    if not lenient:
        return UNKNOWN if value is None else value
    options = [option for option in (value, function.inputs.get(parameter.arg)) if option is not None]
    declared = parameter.annotation
    if isinstance(declared, ast.Name):
        kind = function.frame.module.get_ever(declared.id)
        kind = force(it, kind) if kind is not None else kind
        if isinstance(kind, Class):
            options.append(_shared_instance(kind))
    return join([*options, UNKNOWN]) if options else UNKNOWN


def _shared_instance(cls: Class) -> Instance:
    """The instance that stands for all of a class."""
    if cls.instance is None:
        cls.instance = Instance(cls)
    return cls.instance


def _worth_following(it: Interpreter, function: Function, values: tuple[Value, ...]) -> bool:
    """Whether to evaluate a call with its own arguments: they carry power, or the function is small enough."""
    size = _size(function)
    if any(_powerful(it, value) for value in values):
        return size <= 4 * _SMALL
    if size > _SMALL or not it.root_dynamic or len(it.stack) > _NESTED:
        return False
    return any(_concrete(value) for value in values)


_SMALL = 150


def _size(function: Function) -> int:
    if not function.size:
        function.size = sum(1 for _ in ast.walk(function.node))
    return function.size


def _powerful(it: Interpreter, value: Value, depth: int = 2) -> bool:
    """Whether a value is, or holds, a module that opens doors or something policy names."""
    for option in each(value):
        if isinstance(option, Ref):
            if option.path in it.policy.carried or it.policy.match(option.path) is not None:
                return True
            if option.path in {"builtins.getattr", "builtins.vars", "builtins.__import__"}:
                return True
        elif isinstance(option, (OwnModule, Partial, Getter, Dunder, Namespace)):
            return True
        elif isinstance(option, Instance):
            if depth and any(_powerful(it, item, 0) for item in option.attributes.values()):
                return True
        elif depth and isinstance(option, Seq):
            if any(_powerful(it, item, depth - 1) for item in option.items[:12]):
                return True
        elif depth and isinstance(option, Map):
            if any(_powerful(it, item, depth - 1) for item in list(option.items.values())[:12]):
                return True
    return False


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
