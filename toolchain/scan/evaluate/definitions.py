"""Functions, classes and their decorators."""

from __future__ import annotations

import ast

from toolchain.scan.evaluate.assignments import annotation
from toolchain.scan.evaluate.expressions import defaults_of
from toolchain.scan.evaluate.frames import Frame
from toolchain.scan.evaluate.interpreter import Activation, Call, Interpreter, Signal
from toolchain.scan.evaluate.objects import class_attribute
from toolchain.scan.evaluate.values import (
    MOST_SUBCLASSES,
    UNKNOWN,
    Class,
    Const,
    Function,
    Instance,
    Ref,
    Value,
    each,
)


def function_definition(it: Interpreter, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Signal:
    made = Function(node, it.frame, it.module.name, defaults_of(it, node.args))
    spec = node.args
    for parameter in (*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg):
        if parameter is not None and parameter.annotation is not None:
            annotation(it, parameter.annotation)
    annotation(it, node.returns)
    value = _decorate(it, node.decorator_list, made)
    it.module.functions.append(made)
    it.frame.set(node.name, value)
    return None


def _decorate(it: Interpreter, decorators: list[ast.expr], made: Value) -> Value:
    value = made
    for node in reversed(decorators):
        decorator = it.evaluate(node)
        if decorator is UNKNOWN:
            continue
        result = it.call(decorator, Call([value], {}, node))
        if result is not UNKNOWN and not (isinstance(result, Ref) and not it.policy.match(result.path)):
            value = result
    return value


def class_definition(it: Interpreter, node: ast.ClassDef) -> Signal:
    bases = [it.evaluate(base) for base in node.bases]
    keywords = {keyword.arg: it.evaluate(keyword.value) for keyword in node.keywords}
    frame = Frame("class", it.frame.module, it.frame)
    frame.set("__qualname__", Const(node.name))
    made = Class(node.name, frame, bases, it.module.name, meta=keywords.get("metaclass"))
    first = len(it.module.functions)
    with it.inside(frame, it.module, Activation()):
        it.execute(node.body)
    for function in it.module.functions[first:]:
        if (
            isinstance(function, Function)
            and function.frame is frame
            and not isinstance(function.node, ast.Lambda)
        ):
            function.owner = made
    for base in bases:
        for option in each(it.force(base)):
            if isinstance(option, Class) and len(option.subclasses) < MOST_SUBCLASSES:
                option.subclasses.append(made)
        if isinstance(base, Class):
            hook = class_attribute(it, base, "__init_subclass__")
            if isinstance(hook, Function):
                it.call_function(hook, [made], {str(k): v for k, v in keywords.items() if k}, node)
    _set_names(it, made, node)
    it.frame.set(node.name, _decorate(it, node.decorator_list, made))
    return None


def _set_names(it: Interpreter, made: Class, node: ast.AST) -> None:
    """Descriptors are told their names (``__set_name__``)."""
    for name, value in list(made.frame.ever.items()):
        if isinstance(value, Instance):
            hook = class_attribute(it, value.cls, "__set_name__")
            if isinstance(hook, Function):
                it.call_function(hook, [value, made, Const(name)], {}, node)
