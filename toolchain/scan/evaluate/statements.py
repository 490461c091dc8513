# one signature for a table of handlers; data tables
# ruff: noqa: ARG001, E501
"""Statements: one function for each kind of syntax.

A statement's function returns a signal, ``"break"``, ``"continue"`` or ``"return"``, only where it is taken for sure;
outside of concrete calls code after a return is still read, for what it reaches.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from toolchain.scan.evaluate.attributes import class_attribute, get_attribute
from toolchain.scan.evaluate.calls import call, call_function
from toolchain.scan.evaluate.expressions import UNROLL, binary, defaults_of, evaluate, iterated, worth_unrolling
from toolchain.scan.evaluate.folding import contents, elements
from toolchain.scan.evaluate.frames import Frame
from toolchain.scan.evaluate.interpreter import Activation, Call
from toolchain.scan.evaluate.judge import judge_merged_environment
from toolchain.scan.evaluate.modules import import_from, import_statement
from toolchain.scan.evaluate.natives import read_code
from toolchain.scan.evaluate.patterns import bind_pattern
from toolchain.scan.evaluate.subscripts import get_item, set_attribute, set_item
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Carrier,
    Class,
    Const,
    Function,
    Instance,
    Ref,
    Seq,
    Value,
    each,
    is_true,
    join,
)

if TYPE_CHECKING:
    from toolchain.scan.evaluate.interpreter import Interpreter

Signal = str | None


def execute(it: Interpreter, body: Sequence[ast.stmt]) -> Signal:
    """Run statements in order."""
    for node in body:
        it.burn()
        signal = _KINDS[type(node)](it, node)
        if signal is not None and (signal != "return" or it.activation.concrete):
            return signal
    return None


def _branch(it: Interpreter, body: Sequence[ast.stmt]) -> tuple[dict[str, Value], Signal]:
    it.frame.push()
    try:
        signal = execute(it, body)
    finally:
        bound = it.frame.pop()
    return bound, signal


def _dead(it: Interpreter, body: Sequence[ast.stmt]) -> None:
    """Read what is not taken, for what it reaches, and forget what it binds."""
    if it.activation.concrete or not body:
        return
    it.shadow += 1
    try:
        _branch(it, body)
    finally:
        it.shadow -= 1


def _if(it: Interpreter, node: ast.If) -> Signal:
    truth = is_true(evaluate(it, node.test))
    if truth is not None:
        _dead(it, node.orelse if truth else node.body)
        return execute(it, node.body if truth else node.orelse)
    first, one = _branch(it, node.body)
    second, two = _branch(it, node.orelse)
    if it.activation.concrete and (one == "return") != (two == "return"):
        # One side leaves: what follows sees only what the other side bound.
        it.frame.merge([second if one == "return" else first], complete=True)
        return None
    it.frame.merge([first, second], complete=True)
    return one if one == two else None


def assign(it: Interpreter, target: ast.expr, value: Value) -> None:
    """Bind any kind of target."""
    if isinstance(target, ast.Name):
        it.frame.set(target.id, value)
    elif isinstance(target, ast.Attribute):
        owner = evaluate(it, target.value)
        set_attribute(it, owner, target.attr, value)
        _judge_assignment(it, owner, target)
    elif isinstance(target, ast.Subscript):
        set_item(it, evaluate(it, target.value), evaluate(it, target.slice), value, target)
    elif isinstance(target, ast.Starred):
        assign(it, target.value, value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(it, target.elts, value)


def _judge_assignment(it: Interpreter, owner: Value, target: ast.Attribute) -> None:
    if target.attr == "__code__":
        it.emit_named("code.construct", "?.__code__", target, "the code of a function is replaced")
    for option in each(owner):
        if isinstance(option, Ref):
            it.mention(it.ref(f"{option.path}.{target.attr}", option.trail), target)


def _unpack(it: Interpreter, targets: list[ast.expr], value: Value) -> None:
    value = iterated(it, value, targets[0]) if targets else value
    items = elements(value)
    star = next((n for n, target in enumerate(targets) if isinstance(target, ast.Starred)), None)
    if items is None or len(items) < len(targets) - (star is not None):
        anything = join(list(contents(value))[:64] or [UNKNOWN])
        for target in targets:
            assign(it, target, Seq("list", [anything], False) if isinstance(target, ast.Starred) else anything)
        return
    if star is None:
        for target, item in zip(targets, items, strict=False):
            assign(it, target, item)
        return
    after = len(targets) - star - 1
    parts = [*items[:star], Seq("list", items[star : len(items) - after]), *items[len(items) - after :]]
    for target, item in zip(targets, parts, strict=False):
        assign(it, target, item)


def _assign(it: Interpreter, node: ast.Assign) -> Signal:
    value = evaluate(it, node.value)
    for target in node.targets:
        assign(it, target, value)
    return None


def _annotated(it: Interpreter, node: ast.AnnAssign) -> Signal:
    annotation(it, node.annotation)
    if node.value is not None:
        assign(it, node.target, evaluate(it, node.value))
    elif isinstance(node.target, ast.Name) and it.frame.kind == "class":
        it.frame.parameters += (node.target.id,)
    return None


def annotation(it: Interpreter, node: ast.expr | None) -> None:
    """An annotation runs code where it holds more than names."""
    if node is None or isinstance(node, (ast.Name, ast.Attribute)):
        return
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str) and "(" in node.value:
            read_code(it, Call([Const(node.value)], {}, node))
        return
    if any(isinstance(part, (ast.Call, ast.NamedExpr)) for part in ast.walk(node)):
        evaluate(it, node)


def _augmented(it: Interpreter, node: ast.AugAssign) -> Signal:
    before = evaluate(it, _loaded(node.target))
    value = evaluate(it, node.value)
    judge_merged_environment(it, before, value, node)
    if isinstance(before, Seq) and isinstance(node.op, ast.Add):
        found = elements(value)
        assign(
            it,
            node.target,
            Seq(
                before.kind,
                [*before.items, *(found or contents(value))][:4096],
                before.exact and found is not None,
            ),
        )
        return None
    assign(it, node.target, binary(it, before, value, node))
    return None


def _loaded(target: ast.expr) -> ast.expr:
    return target  # the context (Store or Load) plays no part in evaluation


def _for(it: Interpreter, node: ast.For | ast.AsyncFor) -> Signal:
    source = iterated(it, evaluate(it, node.iter), node)
    items = elements(source)
    if items is not None and 0 < len(items) <= UNROLL and worth_unrolling(it, items):
        start = it.fuel
        for item in items:
            it.burn(2)
            if start - it.fuel > _LOOP_STEPS:
                return _give_up(it, node)
            assign(it, node.target, item)
            signal = execute(it, node.body)
            if signal == "break":
                return None
            if signal == "return":
                return signal
        return execute(it, node.orelse)
    it.frame.push()
    assign(it, node.target, join(list(contents(source))[:64] or [UNKNOWN]))
    execute(it, node.body)
    if it.module.dynamic:
        execute(it, node.body)
    it.frame.merge([it.frame.pop()], complete=False)
    it.frame.merge([_branch(it, node.orelse)[0]], complete=False)
    return None


_LOOP_STEPS = 60_000


def _give_up(it: Interpreter, node: ast.For | ast.AsyncFor | ast.While) -> Signal:
    """A loop that takes too long: what it binds is not known, which every dynamic sink treats as dangerous."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            it.frame.set(part.id, UNKNOWN)
    return execute(it, node.orelse)


def _while(it: Interpreter, node: ast.While) -> Signal:
    start = it.fuel
    for _ in range(8 if isinstance(node.test, ast.Constant) and not it.stack else UNROLL):
        if start - it.fuel > _LOOP_STEPS:
            return _give_up(it, node)
        truth = is_true(evaluate(it, node.test))
        if truth is False:
            return execute(it, node.orelse)
        if truth is None:
            break
        signal = execute(it, node.body)
        if signal == "break":
            return None
        if signal == "return":
            return signal
        if not it.module.dynamic:
            break
    bound, _ = _branch(it, node.body)
    it.frame.merge([bound], complete=False)
    if it.module.dynamic:
        it.frame.merge([_branch(it, node.body)[0]], complete=False)
    it.frame.merge([_branch(it, node.orelse)[0]], complete=False)
    return None


def _try(it: Interpreter, node: Any) -> Signal:
    bound, signal = _branch(it, [*node.body, *node.orelse])
    it.frame.merge([bound], complete=not node.handlers)
    outcomes = []
    for handler in node.handlers:
        if handler.type is not None:
            evaluate(it, handler.type)
        it.frame.push()
        if handler.name:
            it.frame.set(handler.name, join([*it.raised[-4:], UNKNOWN]))
        execute(it, handler.body)
        outcomes.append(it.frame.pop())
    if outcomes:
        it.frame.merge([bound, *outcomes], complete=True)
    after = execute(it, node.finalbody)
    return after or (signal if signal == "return" and it.activation.concrete else None)


def _with(it: Interpreter, node: ast.With | ast.AsyncWith) -> Signal:
    for item in node.items:
        value = evaluate(it, item.context_expr)
        entered = join(_enter(it, option, node) for option in each(value))
        if item.optional_vars is not None:
            assign(it, item.optional_vars, entered)
    return execute(it, node.body)


def _enter(it: Interpreter, value: Value, node: ast.AST) -> Value:
    if isinstance(value, Instance):
        for name in ("__enter__", "__aenter__"):
            hook = class_attribute(it, value.cls, name)
            if isinstance(hook, Function):
                return call_function(it, hook, [value], {}, node)
    if isinstance(value, Seq) and value.kind == "generator" and value.items:
        return join(value.items)
    return value


def _function(it: Interpreter, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Signal:
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
        decorator = evaluate(it, node)
        if decorator is UNKNOWN:
            continue
        result = call(it, decorator, Call([value], {}, node))
        if result is not UNKNOWN and not (isinstance(result, Ref) and not it.policy.match(result.path)):
            value = result
    return value


def _class(it: Interpreter, node: ast.ClassDef) -> Signal:
    bases = [evaluate(it, base) for base in node.bases]
    keywords = {keyword.arg: evaluate(it, keyword.value) for keyword in node.keywords}
    frame = Frame("class", it.frame.module, it.frame)
    frame.set("__qualname__", Const(node.name))
    made = Class(node.name, frame, bases, it.module.name, meta=keywords.get("metaclass"))
    first = len(it.module.functions)
    with it.inside(frame, it.module, Activation()):
        execute(it, node.body)
    for function in it.module.functions[first:]:
        if (
            isinstance(function, Function)
            and function.frame is frame
            and not isinstance(function.node, ast.Lambda)
        ):
            function.owner = made
    for base in bases:
        if isinstance(base, Class):
            hook = class_attribute(it, base, "__init_subclass__")
            if isinstance(hook, Function):
                call_function(it, hook, [made], {str(k): v for k, v in keywords.items() if k}, node)
    _set_names(it, made, node)
    it.frame.set(node.name, _decorate(it, node.decorator_list, made))
    return None


def _set_names(it: Interpreter, made: Class, node: ast.AST) -> None:
    """Descriptors are told their names (``__set_name__``)."""
    for name, value in list(made.frame.ever.items()):
        if isinstance(value, Instance):
            hook = class_attribute(it, value.cls, "__set_name__")
            if isinstance(hook, Function):
                call_function(it, hook, [value, made, Const(name)], {}, node)


def _return(it: Interpreter, node: ast.Return) -> Signal:
    it.activation.returns.append(Const(None) if node.value is None else evaluate(it, node.value))
    return "return"


def _expression(it: Interpreter, node: ast.Expr) -> Signal:
    evaluate(it, node.value)
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
            value = evaluate(it, part)
            if isinstance(value, (Carrier, Instance)):
                it.raised.append(value)
    return "return" if it.activation.concrete and it.frame.kind == "function" and not it.shadow else None


def _assert(it: Interpreter, node: ast.Assert) -> Signal:
    evaluate(it, node.test)
    if node.msg is not None:
        evaluate(it, node.msg)
    return None


def _delete(it: Interpreter, node: ast.Delete) -> Signal:
    for target in node.targets:
        if isinstance(target, ast.Subscript):
            get_item(it, evaluate(it, target.value), evaluate(it, target.slice), target)
        elif isinstance(target, ast.Attribute):
            get_attribute(it, evaluate(it, target.value), target.attr, target)
    return None


def _match(it: Interpreter, node: ast.Match) -> Signal:
    subject = evaluate(it, node.subject)
    branches = []
    for case in node.cases:
        it.frame.push()
        bind_pattern(it, case.pattern, subject)
        if case.guard is not None:
            evaluate(it, case.guard)
        execute(it, case.body)
        branches.append(it.frame.pop())
    it.frame.merge(branches, complete=False)
    return None


def _signal(name: str) -> Callable[[Interpreter, Any], Signal]:
    return lambda it, _node: name if not it.shadow else None


def _pass(it: Interpreter, node: ast.Pass) -> Signal:
    return None


_KINDS: dict[type[ast.AST], Callable[[Interpreter, Any], Signal]] = {
    ast.If: _if, ast.Assign: _assign, ast.AnnAssign: _annotated, ast.AugAssign: _augmented, ast.For: _for,
    ast.AsyncFor: _for, ast.While: _while, ast.Try: _try, ast.With: _with, ast.AsyncWith: _with,
    ast.FunctionDef: _function, ast.AsyncFunctionDef: _function, ast.ClassDef: _class, ast.Return: _return,
    ast.Expr: _expression, ast.Import: _import, ast.ImportFrom: _import_from, ast.Global: _global,
    ast.Nonlocal: _nonlocal, ast.Raise: _raise, ast.Assert: _assert, ast.Delete: _delete, ast.Match: _match,
    ast.Break: _signal("break"), ast.Continue: _signal("continue"), ast.Pass: _pass,
}  # fmt: skip
if hasattr(ast, "TryStar"):
    _KINDS[ast.TryStar] = _try
if hasattr(ast, "TypeAlias"):
    _KINDS[ast.TypeAlias] = _pass
