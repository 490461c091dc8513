# one signature for a table of handlers; data tables
# ruff: noqa: ARG001, E501
"""Expressions: one function for each kind of syntax."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from toolchain.scan.evaluate import pure
from toolchain.scan.evaluate.attributes import class_attribute, get_attribute
from toolchain.scan.evaluate.calls import call, call_function
from toolchain.scan.evaluate.frames import MaybeUnbound
from toolchain.scan.evaluate.folding import contents, elements, fold, lift
from toolchain.scan.evaluate.interpreter import Call
from toolchain.scan.evaluate.judge import judge_keywords
from toolchain.scan.evaluate.modules import force
from toolchain.scan.evaluate.subscripts import get_item
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Const,
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
    is_true,
    join,
)

if TYPE_CHECKING:
    from toolchain.scan.evaluate.interpreter import Interpreter

UNROLL = 1024


def evaluate(it: Interpreter, node: ast.expr) -> Value:
    """What an expression stands for."""
    it.burn()
    return _KINDS[type(node)](it, node)


def _constant(it: Interpreter, node: ast.Constant) -> Value:
    return Const(node.value)


def _name(it: Interpreter, node: ast.Name) -> Value:
    bound = it.lookup(node.id)
    value = it.named(node.id, bound)
    if isinstance(value, OwnName) and it.root_dynamic:
        value = force(it, value)
    if bound is not None and not isinstance(bound, MaybeUnbound):
        return value  # recorded where it came from, and again where it is called
    if node.id == "__builtins__" and isinstance(value, Ref):
        it.emit_named("introspection.builtins", "__builtins__", node)
    return it.mention(value, node)


def _attribute(it: Interpreter, node: ast.Attribute) -> Value:
    return get_attribute(it, evaluate(it, node.value), node.attr, node)


def _subscript(it: Interpreter, node: ast.Subscript) -> Value:
    value, key = evaluate(it, node.value), evaluate(it, node.slice)
    return get_item(it, value, key, node)


def _slice(it: Interpreter, node: ast.Slice) -> Value:
    parts = [Const(None) if part is None else evaluate(it, part) for part in (node.lower, node.upper, node.step)]
    return fold(slice, *parts)


def _call(it: Interpreter, node: ast.Call) -> Value:
    function = evaluate(it, node.func)
    args, extra = arguments(it, node.args)
    kwargs: dict[str, Value] = {}
    for keyword in node.keywords:
        value = evaluate(it, keyword.value)
        if keyword.arg is not None:
            kwargs[keyword.arg] = value
            continue
        for option in each(value):
            if isinstance(option, Map):
                kwargs.update({key: item for key, item in option.items.items() if isinstance(key, str)})
    if kwargs:
        judge_keywords(it, _label(node.func), kwargs, node)
    return call(it, function, Call(args, kwargs, node, extra))


def arguments(it: Interpreter, nodes: Sequence[ast.expr]) -> tuple[list[Value], bool]:
    """Positional values with stars spread, and whether there may be more than these."""
    values: list[Value] = []
    extra = False
    for node in nodes:
        if isinstance(node, ast.Starred):
            inner = iterated(it, evaluate(it, node.value), node)
            found = elements(inner)
            extra = extra or found is None
            values.extend(found if found is not None else contents(inner))
        else:
            values.append(evaluate(it, node))
    return values, extra


def iterated(it: Interpreter, value: Value, node: ast.AST) -> Value:
    """What a loop over a value sees: objects of the tree's classes are asked for their items."""
    for option in each(value):
        if not isinstance(option, Instance):
            continue
        found: Value | None = None
        for name, given in (("__iter__", []), ("__aiter__", []), ("__getitem__", [UNKNOWN])):
            hook = class_attribute(it, option.cls, name)
            if isinstance(hook, Function):
                found = call_function(it, hook, [option, *given], {}, node)
                break
        if isinstance(found, Instance):
            step = class_attribute(it, found.cls, "__next__") or class_attribute(it, found.cls, "__anext__")
            item = call_function(it, step, [found], {}, node) if isinstance(step, Function) else UNKNOWN
            found = Seq("generator", [item], exact=False)
        elif found is not None and name == "__getitem__":
            found = Seq("generator", [found], exact=False)
        return UNKNOWN if found is None else found
    return value


def _label(node: ast.expr) -> str:
    return ast.unparse(node)[:80] if isinstance(node, (ast.Name, ast.Attribute)) else "call"


def _binary(it: Interpreter, node: ast.BinOp) -> Value:
    left, right = evaluate(it, node.left), evaluate(it, node.right)
    return binary(it, left, right, node)


_OPERATORS = {ast.Add: "add", ast.BitOr: "or", ast.Mod: "mod", ast.RShift: "rshift", ast.LShift: "lshift", ast.Mult: "mul",
              ast.MatMult: "matmul", ast.Sub: "sub", ast.Div: "truediv", ast.BitAnd: "and", ast.BitXor: "xor", ast.Pow: "pow",
              ast.FloorDiv: "floordiv"}  # fmt: skip


def binary(it: Interpreter, left: Value, right: Value, node: ast.BinOp | ast.AugAssign) -> Value:
    """``left op right``: folded, overloaded by one of the tree's classes, or unknown."""
    for one, other, prefix in ((left, right, ""), (right, left, "r")):
        for option in each(one):
            if isinstance(option, Instance):
                hook = class_attribute(it, option.cls, f"__{prefix}{_OPERATORS[type(node.op)]}__")
                if isinstance(hook, Function):
                    return call_function(it, hook, [option, other], {}, node)
    if right is UNKNOWN and pure.is_process_path(left):
        right = Const(pure.ANYTHING)
    if left is UNKNOWN or right is UNKNOWN:
        return UNKNOWN
    if isinstance(node.op, ast.Add) and isinstance(left, Seq) and isinstance(right, Seq):
        return Seq(left.kind, [*left.items, *right.items][: pure.PARTS], left.exact and right.exact)
    if isinstance(node.op, ast.BitOr) and isinstance(left, Map) and isinstance(right, Map):
        merged = Map()
        merged.take(left)
        merged.take(right)
        return merged
    if isinstance(node.op, ast.BitOr) and isinstance(left, (Namespace, FrameDict)):
        return left
    function = pure.BINARY.get(type(node.op))
    return fold(function, left, right) if function is not None else UNKNOWN


def _unary(it: Interpreter, node: ast.UnaryOp) -> Value:
    value = evaluate(it, node.operand)
    if isinstance(node.op, ast.Not):
        truth = is_true(value)
        return UNKNOWN if truth is None else Const(not truth)
    return UNKNOWN if value is UNKNOWN else fold(pure.UNARY[type(node.op)], value)


def _boolean(it: Interpreter, node: ast.BoolOp) -> Value:
    stop_at = isinstance(node.op, ast.Or)
    found: list[Value] = []
    for part in node.values:
        value = evaluate(it, part)
        truth = is_true(value)
        if truth is None or truth is stop_at or part is node.values[-1]:
            found.append(value)
        if truth is stop_at:
            if not it.activation.concrete:
                _visit_rest(it, node.values[node.values.index(part) + 1 :])
            break
    return join(found)


def _visit_rest(it: Interpreter, nodes: Sequence[ast.expr]) -> None:
    it.shadow += 1
    try:
        for node in nodes:
            evaluate(it, node)
    finally:
        it.shadow -= 1


def _compare(it: Interpreter, node: ast.Compare) -> Value:
    values = [evaluate(it, part) for part in (node.left, *node.comparators)]
    if UNKNOWN in values:
        return UNKNOWN
    verdicts = [
        fold(pure.COMPARE[type(op)], values[position], values[position + 1])
        for position, op in enumerate(node.ops)
    ]
    truths = [is_true(verdict) for verdict in verdicts]
    return Const(False) if False in truths else UNKNOWN if None in truths else Const(True)


def _conditional(it: Interpreter, node: ast.IfExp) -> Value:
    truth = is_true(evaluate(it, node.test))
    if truth is None:
        return join((evaluate(it, node.body), evaluate(it, node.orelse)))
    live, dead = (node.body, node.orelse) if truth else (node.orelse, node.body)
    if not it.activation.concrete:
        _visit_rest(it, [dead])
    return evaluate(it, live)


def _sequence(kind: str) -> Callable[[Interpreter, Any], Value]:
    def make(it: Interpreter, node: Any) -> Value:
        values, extra = arguments(it, node.elts)
        return Seq(kind, values, not extra)

    return make


def _dictionary(it: Interpreter, node: ast.Dict) -> Value:
    made = Map()
    for key, item in zip(node.keys, node.values, strict=True):
        value = evaluate(it, item)
        if key is None:
            for option in each(value):
                made.take(option)
            continue
        wanted = evaluate(it, key)
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
        parameter.arg: evaluate(it, default)
        for parameter, default in zip(
            positional[len(positional) - len(spec.defaults) :], spec.defaults, strict=True
        )
    }
    for parameter, keyword_default in zip(spec.kwonlyargs, spec.kw_defaults, strict=True):
        if keyword_default is not None:
            found[parameter.arg] = evaluate(it, keyword_default)
    return found


def _fstring(it: Interpreter, node: ast.JoinedStr) -> Value:
    parts = [evaluate(it, part) for part in node.values]
    if any(part is UNKNOWN for part in parts):
        if not pure.is_process_path(parts[0]):
            return UNKNOWN
        parts = [Const(pure.ANYTHING) if part is UNKNOWN else part for part in parts]
    total: Value = Const("")
    for part in parts:
        total = fold(lambda left, right: left + str(right), total, part)
    return total


def _formatted(it: Interpreter, node: ast.FormattedValue) -> Value:
    value = evaluate(it, node.value)
    spec = evaluate(it, node.format_spec) if node.format_spec is not None else Const("")
    if value is UNKNOWN:
        return UNKNOWN
    converters: dict[int, Callable[[Any], Any]] = {115: str, 114: repr, 97: ascii}
    convert = converters.get(node.conversion, lambda item: item)
    return fold(lambda item, how: pure.FUNCTIONS["builtins.format"](convert(item), how), value, spec)


def _walrus(it: Interpreter, node: ast.NamedExpr) -> Value:
    value = evaluate(it, node.value)
    it.frame.set(node.target.id, value)
    return value


def _inner(it: Interpreter, node: Any) -> Value:
    value = evaluate(it, node.value)
    return join(value.items) if isinstance(value, Seq) and isinstance(node, ast.Await) and value.items else value


def _yield(it: Interpreter, node: ast.Yield) -> Value:
    it.activation.yields.append(Const(None) if node.value is None else evaluate(it, node.value))
    return UNKNOWN


def _yield_from(it: Interpreter, node: ast.YieldFrom) -> Value:
    it.activation.yields.extend(contents(evaluate(it, node.value)))
    return UNKNOWN


def _starred(it: Interpreter, node: ast.Starred) -> Value:
    return evaluate(it, node.value)


def _comprehension(kind: str) -> Callable[[Interpreter, Any], Value]:
    def make(it: Interpreter, node: Any) -> Value:
        found: list[Value] = []
        it.frame.push()
        try:
            exact = _generate(it, node.generators, 0, lambda: found.append(evaluate(it, node.elt)))
        finally:
            _keep_walrus(it, node)
        return Seq(kind, found, exact)

    return make


def _dict_comprehension(it: Interpreter, node: ast.DictComp) -> Value:
    made = Map()

    def add() -> None:
        key, value = evaluate(it, node.key), evaluate(it, node.value)
        if isinstance(key, Const):
            made.items[key.value] = value
        else:
            made.rest = value if made.rest is None else join((made.rest, value))

    it.frame.push()
    try:
        exact = _generate(it, node.generators, 0, add)
    finally:
        _keep_walrus(it, node)
    if not exact and made.rest is None:
        made.rest = join(made.items.values()) if made.items else UNKNOWN
    return made


def _keep_walrus(it: Interpreter, node: ast.expr) -> None:
    """What a walrus binds inside a comprehension lives on; the comprehension's own targets do not."""
    bound = it.frame.pop()
    targets = {
        name.id
        for generator in getattr(node, "generators", ())
        for name in ast.walk(generator.target)
        if isinstance(name, ast.Name)
    }
    for name, value in bound.items():
        if name not in targets:
            it.frame.set(name, value)


def _generate(it: Interpreter, generators: list[ast.comprehension], depth: int, emit: Callable[[], None]) -> bool:
    """Run the loops of a comprehension; whether what was emitted is exact."""
    from toolchain.scan.evaluate.statements import assign

    if depth == len(generators):
        emit()
        return True
    generator = generators[depth]
    source = iterated(it, evaluate(it, generator.iter), generator.iter)
    items = elements(source)
    unrolled = items is not None and 0 < len(items) <= UNROLL and worth_unrolling(it, items)
    exact = unrolled or (items is not None and not items)
    for item in items if unrolled and items is not None else [join(list(contents(source))[:64] or [UNKNOWN])]:
        it.burn(2)
        assign(it, generator.target, item)
        truths = [is_true(evaluate(it, test)) for test in generator.ifs]
        if False in truths and unrolled:
            continue
        exact = exact and None not in truths
        exact = _generate(it, generators, depth + 1, emit) and exact
    return exact


def worth_unrolling(it: Interpreter, items: list[Value]) -> bool:
    """Whether a loop over these is followed item by item: where names can be made, or things are carried."""
    return it.module.dynamic or any(not isinstance(item, Const) and item is not UNKNOWN for item in items)


_KINDS: dict[type[ast.AST], Callable[[Interpreter, Any], Value]] = {
    ast.Constant: _constant, ast.Name: _name, ast.Attribute: _attribute, ast.Subscript: _subscript, ast.Slice: _slice,
    ast.Call: _call, ast.BinOp: _binary, ast.UnaryOp: _unary, ast.BoolOp: _boolean, ast.Compare: _compare,
    ast.IfExp: _conditional, ast.List: _sequence("list"), ast.Tuple: _sequence("tuple"), ast.Set: _sequence("set"),
    ast.Dict: _dictionary, ast.Lambda: _lambda, ast.JoinedStr: _fstring, ast.FormattedValue: _formatted,
    ast.NamedExpr: _walrus, ast.Await: _inner, ast.Yield: _yield, ast.YieldFrom: _yield_from, ast.Starred: _starred,
    ast.ListComp: _comprehension("list"), ast.SetComp: _comprehension("set"), ast.DictComp: _dict_comprehension,
    ast.GeneratorExp: _comprehension("generator"),
}  # fmt: skip

__all__ = ["UNROLL", "arguments", "binary", "defaults_of", "evaluate", "lift", "worth_unrolling"]
