"""Models of what evaluates annotations: ``typing.get_type_hints`` runs the text of each."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from toolchain.scan.evaluate.interpreter import Call, Interpreter
from toolchain.scan.evaluate.models.code import read_code
from toolchain.scan.evaluate.objects import class_attribute
from toolchain.scan.evaluate.values import UNKNOWN, Bound, Class, Const, Function, Map, Value, each


def of_get_type_hints(it: Interpreter, request: Call) -> Value:
    for option in each(it.force(request.args[0])) if request.args else ():
        for text in _annotations(it, option):
            if text is UNKNOWN or _is_call(text):
                it.emit_named("code.text", "typing.get_type_hints", request.node, "runs an annotation's text")
            else:
                read_code(it, Call([text], {}, request.node))
    return UNKNOWN


def _annotations(it: Interpreter, owner: Value) -> Iterator[Value]:
    """The texts of annotations that were set, or that stand in the definition."""
    function = owner.function if isinstance(owner, Bound) else owner
    found: Value | None = None
    if isinstance(function, Function):
        found = function.defaults.get(".__annotations__")
        spec = function.node.args
        for parameter in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs):
            if isinstance(parameter.annotation, ast.Constant):
                yield Const(parameter.annotation.value)
    elif isinstance(owner, Class):
        found = class_attribute(it, owner, "__annotations__")
    for option in each(found) if found is not None else ():
        if isinstance(option, Map):
            for value in (*option.items.values(), *([option.rest] if option.rest is not None else [])):
                yield from each(value)


def _is_call(text: Value) -> bool:
    """Whether a text is a call as a whole; ``Annotated[int, Field(gt=0)]`` is none."""
    if not isinstance(text, Const) or not isinstance(text.value, str):
        return False
    try:
        return isinstance(ast.parse(text.value.strip(), mode="eval").body, ast.Call)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


def of_forward_reference(it: Interpreter, request: Call) -> Value:
    """``ForwardRef(text)``: a literal is read as code; of any other text, what is done with it counts."""
    read_code(it, request)
    literal = all(isinstance(option, Const) for arg in request.args[:1] for option in each(arg))
    return UNKNOWN if literal else it.ref("typing.ForwardRef()")
