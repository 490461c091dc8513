"""Statements: one function for each kind of syntax.

A statement's function returns a signal only where it is taken for sure; outside of concrete calls code after a
return is still read, for what it reaches.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import Any

from toolchain.scan.evaluate.assignments import annotated_assignment, assign, assignment, augmented_assignment
from toolchain.scan.evaluate.checking import is_for_checkers
from toolchain.scan.evaluate.definitions import class_definition, function_definition
from toolchain.scan.evaluate.interpreter import Interpreter, Signal
from toolchain.scan.evaluate.loops import branch, for_loop, while_loop
from toolchain.scan.evaluate.modules import import_from, import_statement
from toolchain.scan.evaluate.objects import class_attribute
from toolchain.scan.evaluate.patterns import bind_pattern
from toolchain.scan.evaluate.subscripts import forget_item
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Carrier,
    Const,
    Function,
    Instance,
    Seq,
    Value,
    each,
    is_true,
    join,
)


def execute(it: Interpreter, body: Sequence[ast.stmt]) -> Signal:
    """Run statements in order."""
    for node in body:
        it.burn()
        signal = _KINDS[type(node)](it, node)
        if signal is not None and (signal != "return" or it.activation.concrete):
            return signal
    return None


def _dead(it: Interpreter, body: Sequence[ast.stmt]) -> None:
    """Read what is not taken, for what it reaches, and forget what it binds."""
    if it.activation.concrete or not body:
        return
    it.shadow += 1
    try:
        branch(it, body)
    finally:
        it.shadow -= 1


def _if(it: Interpreter, node: ast.If) -> Signal:
    test = it.evaluate(node.test)
    truth = is_true(test)
    if is_for_checkers(it.package, test):
        return _for_checkers(it, node)
    if truth is not None:
        _dead(it, node.orelse if truth else node.body)
        return it.execute(node.body if truth else node.orelse)
    first, one = branch(it, node.body)
    second, two = branch(it, node.orelse)
    if it.activation.concrete and (one == "return") != (two == "return"):
        # One side leaves: what follows sees only what the other side bound.
        it.frame.merge([second if one == "return" else first], complete=True)
        return None
    it.frame.merge([first, second], complete=True)
    return one if one == two else None


def _for_checkers(it: Interpreter, node: ast.If) -> Signal:
    """``if TYPE_CHECKING:`` binds names that annotations use; only the other branch runs."""
    before, it.for_checkers = it.for_checkers, True
    try:
        first, _ = branch(it, node.body)
    finally:
        it.for_checkers = before
    second, _ = branch(it, node.orelse)
    it.frame.merge([first, second], complete=True)
    return None


def _try(it: Interpreter, node: Any) -> Signal:
    bound, signal = branch(it, [*node.body, *node.orelse])
    it.frame.merge([bound], complete=not node.handlers)
    outcomes = [bound]
    for handler in node.handlers:
        if handler.type is not None:
            it.evaluate(handler.type)
        it.frame.push()
        if handler.name:
            it.frame.set(handler.name, join([*it.raised[-4:], UNKNOWN]))
        it.execute(handler.body)
        if handler.name:
            it.frame.unset(handler.name)
        outcome = it.frame.pop()
        if not isinstance(handler.body[-1], ast.Raise):
            outcomes.append(outcome)
    if node.handlers:
        it.frame.merge(outcomes, complete=True)
    after = it.execute(node.finalbody)
    return after or (signal if signal == "return" and it.activation.concrete else None)


def _with(it: Interpreter, node: ast.With | ast.AsyncWith) -> Signal:
    for item in node.items:
        value = it.evaluate(item.context_expr)
        entered = join(_enter(it, option, node) for option in each(value))
        if item.optional_vars is not None:
            assign(it, item.optional_vars, entered)
    if any(map(_suppresses, node.items)):
        bound, _ = branch(it, node.body)
        it.frame.merge([bound], complete=False)
        return None
    return it.execute(node.body)


def _suppresses(item: ast.withitem) -> bool:
    """``with suppress(ImportError):`` may leave its body anywhere."""
    made = item.context_expr.func if isinstance(item.context_expr, ast.Call) else None
    return (getattr(made, "attr", None) or getattr(made, "id", None)) == "suppress"


def _enter(it: Interpreter, value: Value, node: ast.AST) -> Value:
    if isinstance(value, Instance):
        for name in ("__enter__", "__aenter__"):
            hook = class_attribute(it, value.cls, name)
            if isinstance(hook, Function):
                return it.call_function(hook, [value], {}, node)
    if isinstance(value, Seq) and value.kind == "generator" and value.items:
        return join(value.items)
    return value


def _return(it: Interpreter, node: ast.Return) -> Signal:
    it.activation.returns.append(Const(None) if node.value is None else it.evaluate(node.value))
    return "return"


def _expression(it: Interpreter, node: ast.Expr) -> Signal:
    it.evaluate(node.value)
    return None


def _import(it: Interpreter, node: ast.Import) -> Signal:
    import_statement(it, node)
    return None


def _import_from(it: Interpreter, node: ast.ImportFrom) -> Signal:
    import_from(it, node)
    return None


def _global(it: Interpreter, node: ast.Global) -> Signal:
    if it.frame.kind != "module":
        for name in node.names:
            it.frame.globals_declared[name] = it.frame.module
    return None


def _nonlocal(it: Interpreter, node: ast.Nonlocal) -> Signal:
    for name in node.names:
        outer = it.frame.outer
        while outer is not None and outer.get_ever(name) is None:
            outer = outer.outer
        if outer is not None:
            it.frame.globals_declared[name] = outer
    return None


def _raise(it: Interpreter, node: ast.Raise) -> Signal:
    for part in (node.exc, node.cause):
        if part is not None:
            value = it.evaluate(part)
            if isinstance(value, (Carrier, Instance)):
                it.raised.append(value)
    return "return" if it.activation.concrete and it.frame.kind == "function" and not it.shadow else None


def _assert(it: Interpreter, node: ast.Assert) -> Signal:
    it.evaluate(node.test)
    if node.msg is not None:
        it.evaluate(node.msg)
    return None


def _delete(it: Interpreter, node: ast.Delete) -> Signal:
    for target in node.targets:
        _unbind(it, target)
    return None


def _unbind(it: Interpreter, target: ast.expr) -> None:
    if isinstance(target, ast.Name):
        it.frame.unset(target.id)
    elif isinstance(target, (ast.Tuple, ast.List)):
        for part in target.elts:
            _unbind(it, part)
    elif isinstance(target, ast.Subscript):
        owner, key = it.evaluate(target.value), it.evaluate(target.slice)
        it.item(owner, key, target)
        forget_item(owner, key)
    elif isinstance(target, ast.Attribute):
        it.attribute(it.evaluate(target.value), target.attr, target)


def _match(it: Interpreter, node: ast.Match) -> Signal:
    subject = it.evaluate(node.subject)
    branches = []
    for case in node.cases:
        it.frame.push()
        bind_pattern(it, case.pattern, subject)
        if case.guard is not None:
            it.evaluate(case.guard)
        it.execute(case.body)
        branches.append(it.frame.pop())
    it.frame.merge(branches, complete=False)
    return None


def _signal(name: str) -> Callable[[Interpreter, Any], Signal]:
    return lambda it, _node: name if not it.shadow else None


def _pass(it: Interpreter, node: ast.Pass) -> Signal:
    return None


_KINDS: dict[type[ast.AST], Callable[[Interpreter, Any], Signal]] = {
    ast.If: _if,
    ast.Assign: assignment,
    ast.AnnAssign: annotated_assignment,
    ast.AugAssign: augmented_assignment,
    ast.For: for_loop,
    ast.AsyncFor: for_loop,
    ast.While: while_loop,
    ast.Try: _try,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.FunctionDef: function_definition,
    ast.AsyncFunctionDef: function_definition,
    ast.ClassDef: class_definition,
    ast.Return: _return,
    ast.Expr: _expression,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Global: _global,
    ast.Nonlocal: _nonlocal,
    ast.Raise: _raise,
    ast.Assert: _assert,
    ast.Delete: _delete,
    ast.Match: _match,
    ast.Break: _signal("break"),
    ast.Continue: _signal("continue"),
    ast.Pass: _pass,
}
if hasattr(ast, "TryStar"):
    _KINDS[ast.TryStar] = _try
if hasattr(ast, "TypeAlias"):
    _KINDS[ast.TypeAlias] = _pass
