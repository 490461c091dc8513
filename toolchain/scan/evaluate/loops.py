"""``for`` and ``while``, and branches in general."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from toolchain.scan.evaluate.assignments import assign
from toolchain.scan.evaluate.folding import contents, elements
from toolchain.scan.evaluate.interpreter import Interpreter, Signal
from toolchain.scan.evaluate.iteration import UNROLL, iterated, worth_unrolling
from toolchain.scan.evaluate.values import UNKNOWN, Value, is_true, join


def branch(it: Interpreter, body: Sequence[ast.stmt]) -> tuple[dict[str, Value], Signal]:
    it.frame.push()
    try:
        signal = it.execute(body)
    finally:
        bound = it.frame.pop()
    return bound, signal


def for_loop(it: Interpreter, node: ast.For | ast.AsyncFor) -> Signal:
    source = iterated(it, it.evaluate(node.iter), node)
    items = elements(source)
    if items is not None and 0 < len(items) <= UNROLL and worth_unrolling(it, items):
        start = it.fuel
        for item in items:
            it.burn(2)
            if start - it.fuel > _LOOP_STEPS:
                return _give_up(it, node)
            assign(it, node.target, item)
            signal = it.execute(node.body)
            if signal == "break":
                return None
            if signal == "return":
                return signal
        return it.execute(node.orelse)
    it.frame.push()
    assign(it, node.target, join(list(contents(source))[:64] or [UNKNOWN]))
    it.execute(node.body)
    if it.module.dynamic:
        it.execute(node.body)
    it.frame.merge([it.frame.pop()], complete=False)
    it.frame.merge([branch(it, node.orelse)[0]], complete=False)
    return None


_LOOP_STEPS = 60_000


def _give_up(it: Interpreter, node: ast.For | ast.AsyncFor | ast.While) -> Signal:
    """A loop that takes too long: what it binds is not known, which every dynamic sink treats as dangerous."""
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            it.frame.set(part.id, UNKNOWN)
    return it.execute(node.orelse)


def while_loop(it: Interpreter, node: ast.While) -> Signal:
    start = it.fuel
    for _ in range(8 if isinstance(node.test, ast.Constant) and not it.stack else UNROLL):
        if start - it.fuel > _LOOP_STEPS:
            return _give_up(it, node)
        truth = is_true(it.evaluate(node.test))
        if truth is False:
            return it.execute(node.orelse)
        if truth is None:
            break
        signal = it.execute(node.body)
        if signal == "break":
            return None
        if signal == "return":
            return signal
        if not it.module.dynamic:
            break
    bound, _ = branch(it, node.body)
    it.frame.merge([bound], complete=False)
    if it.module.dynamic:
        it.frame.merge([branch(it, node.body)[0]], complete=False)
    it.frame.merge([branch(it, node.orelse)[0]], complete=False)
    return None
