"""Expressions: one function for each kind of syntax."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from toolchain.scan.evaluate.annotated import annotations_in
from toolchain.scan.evaluate.comprehensions import comprehension, dict_comprehension
from toolchain.scan.evaluate.folding import contents, elements, fold
from toolchain.scan.evaluate.frames import MaybeUnbound
from toolchain.scan.evaluate.interpreter import Call, Interpreter
from toolchain.scan.evaluate.iteration import iterated
from toolchain.scan.evaluate.judge import judge_keywords, judge_spread
from toolchain.scan.evaluate.operators import (
    binary_operation,
    boolean_operation,
    comparison,
    formatted_value,
    joined_string,
    unary_operation,
    visit_unreached,
)
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Const,
    Function,
    Map,
    OwnName,
    Ref,
    Seq,
    Value,
    each,
    is_true,
    join,
)


def evaluate(it: Interpreter, node: ast.expr) -> Value:
    """What an expression stands for."""
    it.fuel -= 1
    if it.fuel < it.floor:
        it.burn(0)
    return _KINDS[type(node)](it, node)


def _constant(it: Interpreter, node: ast.Constant) -> Value:
    return Const(node.value)


def _name(it: Interpreter, node: ast.Name) -> Value:
    bound = it.lookup(node.id)
    if bound is None and node.id in _OF_MODULES:
        return _OF_MODULES[node.id](it)
    value = it.named(node.id, bound)
    if isinstance(value, OwnName) and it.root_dynamic:
        value = it.force(value)
    if bound is not None and not isinstance(bound, MaybeUnbound):
        return value  # recorded where it came from, and again where it is called
    if node.id == "__builtins__" and isinstance(value, Ref):
        it.emit_named("introspection.builtins", "__builtins__", node)
    return it.mention(value, node)


def _own_annotations(it: Interpreter) -> Value:
    return annotations_in(it, it.frame.module if it.frame.kind == "function" else it.frame)


_OF_MODULES: dict[str, Callable[[Interpreter], Value]] = {
    "__annotations__": _own_annotations,
    "__path__": lambda it: it.ref("sys.path"),  # modules of a package are taken from there
}
"""Names that a module has without binding them."""


def _attribute(it: Interpreter, node: ast.Attribute) -> Value:
    return it.attribute(it.evaluate(node.value), node.attr, node)


def _subscript(it: Interpreter, node: ast.Subscript) -> Value:
    value, key = it.evaluate(node.value), it.evaluate(node.slice)
    return it.item(value, key, node)


def _slice(it: Interpreter, node: ast.Slice) -> Value:
    parts = [Const(None) if part is None else it.evaluate(part) for part in (node.lower, node.upper, node.step)]
    return fold(slice, *parts)


def _call(it: Interpreter, node: ast.Call) -> Value:
    function = it.evaluate(node.func)
    args, extra = arguments(it, node.args)
    kwargs: dict[str, Value] = {}
    for keyword in node.keywords:
        value = it.evaluate(keyword.value)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
            continue
        judge_spread(it, value, node)
        for option in each(value):
            if isinstance(option, Map):
                kwargs.update({key: item for key, item in option.items.items() if isinstance(key, str)})
    if kwargs:
        judge_keywords(it, _label(node.func), kwargs, node)
    return it.call(function, Call(args, kwargs, node, extra))


def arguments(it: Interpreter, nodes: Sequence[ast.expr]) -> tuple[list[Value], bool]:
    """Positional values with stars spread, and whether there may be more than these."""
    values: list[Value] = []
    extra = False
    for node in nodes:
        if isinstance(node, ast.Starred):
            inner = iterated(it, it.evaluate(node.value), node)
            found = elements(inner)
            extra = extra or found is None
            values.extend(found if found is not None else contents(inner))
        else:
            values.append(it.evaluate(node))
    return values, extra


def _label(node: ast.expr) -> str:
    return ast.unparse(node)[:80] if isinstance(node, (ast.Name, ast.Attribute)) else "call"


def _conditional(it: Interpreter, node: ast.IfExp) -> Value:
    truth = is_true(it.evaluate(node.test))
    if truth is None:
        return join((it.evaluate(node.body), it.evaluate(node.orelse)))
    live, dead = (node.body, node.orelse) if truth else (node.orelse, node.body)
    if not it.activation.concrete:
        visit_unreached(it, [dead])
    return it.evaluate(live)


def _sequence(kind: str) -> Callable[[Interpreter, Any], Value]:
    def make(it: Interpreter, node: Any) -> Value:
        values, extra = arguments(it, node.elts)
        return Seq(kind, values, not extra)

    return make


def _dictionary(it: Interpreter, node: ast.Dict) -> Value:
    made = Map()
    for key, item in zip(node.keys, node.values, strict=True):
        value = it.evaluate(item)
        if key is None:
            for option in each(value):
                made.take(option)
            continue
        wanted = it.evaluate(key)
        if isinstance(wanted, Const):
            made.items[wanted.value] = value
        else:
            made.rest = value if made.rest is None else join((made.rest, value))
    return made


def _lambda(it: Interpreter, node: ast.Lambda) -> Value:
    made = Function(node, it.frame, it.module.name, defaults_of(it, node.args))
    it.module.functions.append(made)
    return made


def defaults_of(it: Interpreter, spec: ast.arguments) -> dict[str, Value]:
    """The values of a signature's defaults by parameter."""
    positional = [*spec.posonlyargs, *spec.args]
    found = {
        parameter.arg: it.evaluate(default)
        for parameter, default in zip(
            positional[len(positional) - len(spec.defaults) :], spec.defaults, strict=True
        )
    }
    for parameter, keyword_default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        if keyword_default is not None:
            found[parameter.arg] = it.evaluate(keyword_default)
    return found


def _walrus(it: Interpreter, node: ast.NamedExpr) -> Value:
    value = it.evaluate(node.value)
    it.frame.set(node.target.id, value)
    return value


def _inner(it: Interpreter, node: Any) -> Value:
    value = it.evaluate(node.value)
    return join(value.items) if isinstance(value, Seq) and isinstance(node, ast.Await) and value.items else value


def _yield(it: Interpreter, node: ast.Yield) -> Value:
    it.activation.yields.append(Const(None) if node.value is None else it.evaluate(node.value))
    return UNKNOWN


def _yield_from(it: Interpreter, node: ast.YieldFrom) -> Value:
    it.activation.yields.extend(contents(it.evaluate(node.value)))
    return UNKNOWN


def _starred(it: Interpreter, node: ast.Starred) -> Value:
    return it.evaluate(node.value)


_KINDS: dict[type[ast.AST], Callable[[Interpreter, Any], Value]] = {
    ast.Constant: _constant,
    ast.Name: _name,
    ast.Attribute: _attribute,
    ast.Subscript: _subscript,
    ast.Slice: _slice,
    ast.Call: _call,
    ast.BinOp: binary_operation,
    ast.UnaryOp: unary_operation,
    ast.BoolOp: boolean_operation,
    ast.Compare: comparison,
    ast.IfExp: _conditional,
    ast.List: _sequence("list"),
    ast.Tuple: _sequence("tuple"),
    ast.Set: _sequence("set"),
    ast.Dict: _dictionary,
    ast.Lambda: _lambda,
    ast.JoinedStr: joined_string,
    ast.FormattedValue: formatted_value,
    ast.NamedExpr: _walrus,
    ast.Await: _inner,
    ast.Yield: _yield,
    ast.YieldFrom: _yield_from,
    ast.Starred: _starred,
    ast.ListComp: comprehension("list"),
    ast.SetComp: comprehension("set"),
    ast.DictComp: dict_comprehension,
    ast.GeneratorExp: comprehension("generator"),
}
