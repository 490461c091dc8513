"""Calls: of the tree's own functions, of built-in methods, and of what lies outside."""

from __future__ import annotations

import ast

from toolchain.scan.evaluate.arguments import bind_arguments, remember_inputs, worth_following
from toolchain.scan.evaluate.dynamic import dynamic_attribute
from toolchain.scan.evaluate.frames import Frame
from toolchain.scan.evaluate.interpreter import (
    MAX_DEPTH,
    MAX_NESTED,
    Activation,
    Call,
    EnoughFollowed,
    Interpreter,
)
from toolchain.scan.evaluate.judge import judge_interface, note_moved
from toolchain.scan.evaluate.methods import call_getter, call_method
from toolchain.scan.evaluate.models.code import read_code
from toolchain.scan.evaluate.natives import call_outside, carried
from toolchain.scan.evaluate.objects import class_attribute, metaclass_of, shared_instance
from toolchain.scan.evaluate.package import Module
from toolchain.scan.evaluate.subscripts import set_attribute
from toolchain.scan.evaluate.values import (
    CONTENT,
    UNKNOWN,
    Bound,
    Carrier,
    Class,
    Const,
    Dunder,
    Function,
    Getter,
    Instance,
    Method,
    OwnName,
    Partial,
    Ref,
    Seq,
    Union,
    Value,
    each,
    join,
    texts,
)

_CALL_STEPS = 30_000


def call(it: Interpreter, function: Value, request: Call) -> Value:
    """What calling any of the alternatives gives."""
    if function is UNKNOWN:
        _read_query(it, request)
        note_moved(it, request)
        return UNKNOWN if not request.args else carried(it, request)
    it.burn(2)
    if type(function) is not Union:
        return _call(it, function, request)
    return join([_call(it, option, request) for option in function.options])


def _read_query(it: Interpreter, request: Call) -> None:
    """``frame.eval(text)`` and ``frame.query(text)`` run what an @ names."""
    called = request.node.func if isinstance(request.node, ast.Call) else None
    if isinstance(called, ast.Attribute) and called.attr in {"eval", "query"} and request.args:
        if called.attr == "eval" and request.args[0] is UNKNOWN:
            _judge_python_engine(it, request)
        texts_read = [
            Const(text.replace("@", "")) for text in texts(request.args[0]) if "(" in text or "__" in text
        ]
        if texts_read:
            read_code(it, Call([join(texts_read)], {}, request.node))


def _judge_python_engine(it: Interpreter, request: Call) -> None:
    """``frame.eval(text, engine="python")`` of a text from elsewhere."""
    wanted = {text for key in ("engine", "parser") for text in texts(request.kwargs.get(key, UNKNOWN))}
    given = request.node.args[:1] if isinstance(request.node, ast.Call) else []
    if "python" in wanted and all(isinstance(node, ast.Name) for node in given):
        it.emit_named("code.text", "?.eval", request.node, "runs the text that it is given")


def _call(it: Interpreter, function: Value, request: Call) -> Value:
    if isinstance(function, Ref):
        return call_outside(it, function, request)
    if isinstance(function, OwnName):
        forced = it.force(function)
        return UNKNOWN if isinstance(forced, OwnName) else it.call(forced, request)
    if isinstance(function, Function):
        return it.call_function(function, request.args, request.kwargs, request.node)
    if isinstance(function, Bound):
        return call_function(
            it, function.function, [function.receiver, *request.args], request.kwargs, request.node
        )
    if isinstance(function, Class):
        return construct(it, function, request)
    if isinstance(function, Instance):
        hook = it.attribute(function, "__call__", request.node)
        return it.call(hook, request) if not isinstance(hook, (Instance, Dunder)) else UNKNOWN
    if isinstance(function, Method):
        return call_method(it, function, request)
    if isinstance(function, Partial):
        merged = Call([*function.args, *request.args], {**function.kwargs, **request.kwargs}, request.node)
        return it.call(function.function, merged)
    if isinstance(function, Getter):
        return call_getter(it, function, request)
    if isinstance(function, Carrier):
        return join((*function.held, function))
    if isinstance(function, Dunder):
        return _call_dunder(it, function, request)
    return UNKNOWN


def _call_dunder(it: Interpreter, function: Dunder, request: Call) -> Value:
    if function.kind == "mro-method":
        return Dunder("mro")
    if function.kind in {"find-spec", "find-loader"}:
        return Dunder(function.kind.removeprefix("find-"))
    if function.kind == "getattribute" and request.args:
        target = request.args[-2] if len(request.args) > 1 else UNKNOWN
        return dynamic_attribute(it, target, request.args[-1], request.node)
    return UNKNOWN


def construct(it: Interpreter, cls: Class, request: Call) -> Value:
    """An instance of one of the tree's classes; its ``__init__`` sees the arguments."""
    meta = metaclass_of(it, cls)
    hook = class_attribute(it, meta, "__call__") if meta is not None else None
    if isinstance(hook, Function):
        return it.call_function(hook, [cls, *request.args], request.kwargs, request.node)
    made = Instance(cls)
    shared_instance(cls)
    for name in ("__new__", "__init__"):
        function = class_attribute(it, cls, name)
        for option in each(function) if function is not None else ():
            if isinstance(option, Function):
                first = cls if name == "__new__" else made
                it.call_function(option, [first, *request.args], request.kwargs, request.node)
    if class_attribute(it, cls, "__init__") is None:
        fields = {**dict(zip(cls.frame.parameters, request.args, strict=False)), **request.kwargs}
        for name, value in fields.items():
            set_attribute(it, made, name, value)
        for base in cls.bases:
            if isinstance(base, Ref) and base.path in _CONTAINERS:
                made.attributes[CONTENT] = it.call(base, request)
    return made


_CONTAINERS = frozenset(
    {"builtins.dict", "builtins.list", "builtins.tuple", "builtins.set", "collections.UserDict"}
)


def call_function(
    it: Interpreter, function: Function, args: list[Value], kwargs: dict[str, Value], node: ast.AST
) -> Value:
    """Call one of the tree's functions: evaluated anew when the arguments can matter, else from its summary."""
    if it.depth >= MAX_DEPTH or it.stack.count(function.node) >= MAX_NESTED:
        return UNKNOWN
    module = it.package.file(function.frame.module_file) if function.frame.module_file else it.module
    module = module or it.module
    if not worth_following(it, function, (*args, *kwargs.values()), kwargs):
        remember_inputs(it, function, args, kwargs)
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
    bind_arguments(it, function, frame, given)
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
        receiver = [shared_instance(function.owner)]
    elif function.owner is not None and function.kind == "class":
        receiver = [function.owner]
    bind_arguments(it, function, frame, (receiver, {}), lenient=True)
    try:
        with it.inside(frame, it.module, Activation()):
            function.returns = _body(it, function)
            judge_interface(it, function.name, function.returns, function.node)
    finally:
        function.visiting = False


def _frame(function: Function) -> Frame:
    outer: Frame | None = function.frame
    return Frame("function", function.frame.module, outer)


def _body(it: Interpreter, function: Function) -> Value:
    node = function.node
    if isinstance(node, ast.Lambda):
        return it.evaluate(node.body)
    it.execute(node.body)
    if it.activation.yields:
        if it.activation.returns:  # what StopIteration carries
            it.raised.append(Carrier(tuple(o for value in it.activation.returns for o in each(value))))
        return Seq("generator", it.activation.yields[:256], exact=it.activation.concrete)
    return join(it.activation.returns) if it.activation.returns else Const(None)
