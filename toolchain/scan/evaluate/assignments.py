"""Binding of targets, and annotations that run code."""

from __future__ import annotations

import ast

from toolchain.scan.evaluate.annotated import annotations_in
from toolchain.scan.evaluate.folding import contents, elements
from toolchain.scan.evaluate.interpreter import Call, Interpreter, Signal
from toolchain.scan.evaluate.iteration import iterated
from toolchain.scan.evaluate.judge import (
    judge_defaults,
    judge_interface,
    judge_merged_environment,
    judge_search_path,
)
from toolchain.scan.evaluate.models.code import read_code
from toolchain.scan.evaluate.operators import binary
from toolchain.scan.evaluate.subscripts import set_attribute, set_item
from toolchain.scan.evaluate.values import UNKNOWN, Const, Ref, Seq, Value, each, join


def assign(it: Interpreter, target: ast.expr, value: Value) -> None:
    """Bind any kind of target."""
    if isinstance(target, ast.Name):
        it.frame.set(target.id, value)
        if target.id == "__path__":
            judge_search_path(it, value, target)
        if it.frame.kind == "class":
            judge_interface(it, target.id, value, target)
    elif isinstance(target, ast.Attribute):
        owner = it.evaluate(target.value)
        set_attribute(it, owner, target.attr, value)
        judge_interface(it, target.attr, value, target)
        _judge_assignment(it, owner, target, value)
    elif isinstance(target, ast.Subscript):
        set_item(it, it.evaluate(target.value), it.evaluate(target.slice), value, target)
    elif isinstance(target, ast.Starred):
        assign(it, target.value, value)
    elif isinstance(target, (ast.Tuple, ast.List)):
        _unpack(it, target.elts, value)


def _judge_assignment(it: Interpreter, owner: Value, target: ast.Attribute, value: Value) -> None:
    if target.attr == "__code__":
        it.emit_named("code.construct", "?.__code__", target, "the code of a function is replaced")
    for option in each(owner):
        if isinstance(option, Ref):
            changed = it.ref(f"{option.path}.{target.attr}", option.trail)
            it.mention(changed, target)
            judge_defaults(it, changed.path, target)
            if changed.path == "sys.path":
                judge_search_path(it, value, target)


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


def assignment(it: Interpreter, node: ast.Assign) -> Signal:
    value = it.evaluate(node.value)
    for target in node.targets:
        assign(it, target, value)
    return None


def annotated_assignment(it: Interpreter, node: ast.AnnAssign) -> Signal:
    annotation(it, node.annotation)
    if (
        it.frame.kind != "function"
        and isinstance(node.annotation, ast.Constant)
        and isinstance(node.target, ast.Name)
    ):
        set_item(it, annotations_in(it, it.frame), Const(node.target.id), Const(node.annotation.value), node)
    if node.value is not None:
        assign(it, node.target, it.evaluate(node.value))
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
    if not isinstance(node, ast.Subscript) or _runs_code(node):
        it.evaluate(node)


def _runs_code(node: ast.expr) -> bool:
    """Whether an annotation such as ``dict[str, f()]`` holds more than names, subscripts and literals."""
    if isinstance(node, ast.Subscript):
        return _runs_code(node.value) or _runs_code(node.slice)
    if isinstance(node, (ast.Tuple, ast.List)):
        return any(_runs_code(item) for item in node.elts)
    if isinstance(node, ast.BinOp):
        return _runs_code(node.left) or _runs_code(node.right)
    return not isinstance(node, (ast.Name, ast.Attribute, ast.Constant))


def augmented_assignment(it: Interpreter, node: ast.AugAssign) -> Signal:
    before = it.evaluate(_loaded(node.target))
    value = it.evaluate(node.value)
    judge_merged_environment(it, before, value, node)
    if isinstance(before, Ref) and before.path == "sys.path":
        judge_search_path(it, value, node)
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
