"""Operators and f-strings: folded where all parts are known."""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from toolchain.scan.evaluate import pure
from toolchain.scan.evaluate.folding import fold, known
from toolchain.scan.evaluate.interpreter import Interpreter
from toolchain.scan.evaluate.objects import class_attribute
from toolchain.scan.evaluate.pure_functions import FUNCTIONS
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Const,
    FrameDict,
    Function,
    Instance,
    Map,
    Namespace,
    Seq,
    Value,
    each,
    is_true,
    join,
)


def binary_operation(it: Interpreter, node: ast.BinOp) -> Value:
    left, right = it.evaluate(node.left), it.evaluate(node.right)
    return binary(it, left, right, node)


_OPERATORS = {
    ast.Add: "add",
    ast.BitOr: "or",
    ast.Mod: "mod",
    ast.RShift: "rshift",
    ast.LShift: "lshift",
    ast.Mult: "mul",
    ast.MatMult: "matmul",
    ast.Sub: "sub",
    ast.Div: "truediv",
    ast.BitAnd: "and",
    ast.BitXor: "xor",
    ast.Pow: "pow",
    ast.FloorDiv: "floordiv",
}


def binary(it: Interpreter, left: Value, right: Value, node: ast.BinOp | ast.AugAssign) -> Value:
    """``left op right``: folded, overloaded by one of the tree's classes, or unknown."""
    for one, other, prefix in ((left, right, ""), (right, left, "r")):
        for option in each(one):
            if isinstance(option, Instance):
                hook = class_attribute(it, option.cls, f"__{prefix}{_OPERATORS[type(node.op)]}__")
                if isinstance(hook, Function):
                    return it.call_function(hook, [option, other], {}, node)
    if isinstance(node.op, ast.Mod) and pure.is_process_path(left) and not known(right):
        return fold(pure.path_of_any, left)
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


def unary_operation(it: Interpreter, node: ast.UnaryOp) -> Value:
    value = it.evaluate(node.operand)
    if isinstance(node.op, ast.Not):
        truth = is_true(value)
        return UNKNOWN if truth is None else Const(not truth)
    return UNKNOWN if value is UNKNOWN else fold(pure.UNARY[type(node.op)], value)


def boolean_operation(it: Interpreter, node: ast.BoolOp) -> Value:
    stop_at = isinstance(node.op, ast.Or)
    found: list[Value] = []
    for part in node.values:
        value = it.evaluate(part)
        truth = is_true(value)
        if truth is None or truth is stop_at or part is node.values[-1]:
            found.append(value)
        if truth is stop_at:
            if not it.activation.concrete:
                visit_unreached(it, node.values[node.values.index(part) + 1 :])
            break
    return join(found)


def visit_unreached(it: Interpreter, nodes: Sequence[ast.expr]) -> None:
    it.shadow += 1
    try:
        for node in nodes:
            it.evaluate(node)
    finally:
        it.shadow -= 1


def comparison(it: Interpreter, node: ast.Compare) -> Value:
    values = [it.evaluate(part) for part in (node.left, *node.comparators)]
    if any(value is UNKNOWN for value in values):
        return UNKNOWN
    verdicts = [
        fold(pure.COMPARE[type(op)], values[position], values[position + 1])
        for position, op in enumerate(node.ops)
    ]
    truths = [is_true(verdict) for verdict in verdicts]
    return Const(False) if False in truths else UNKNOWN if None in truths else Const(True)


def joined_string(it: Interpreter, node: ast.JoinedStr) -> Value:
    parts = [it.evaluate(part) for part in node.values]
    if any(part is UNKNOWN for part in parts):
        if not pure.is_process_path(parts[0]):
            return UNKNOWN
        parts = [Const(pure.ANYTHING) if part is UNKNOWN else part for part in parts]
    total: Value = Const("")
    for part in parts:
        total = fold(lambda left, right: left + str(right), total, part)
    return total


def formatted_value(it: Interpreter, node: ast.FormattedValue) -> Value:
    value = it.evaluate(node.value)
    spec = it.evaluate(node.format_spec) if node.format_spec is not None else Const("")
    if value is UNKNOWN:
        return UNKNOWN
    converters: dict[int, Callable[[Any], Any]] = {115: str, 114: repr, 97: ascii}
    convert = converters.get(node.conversion, lambda item: item)
    return fold(lambda item, how: FUNCTIONS["builtins.format"](convert(item), how), value, spec)
