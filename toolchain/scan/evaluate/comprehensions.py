"""Comprehensions and generator expressions."""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from toolchain.scan.evaluate.assignments import assign
from toolchain.scan.evaluate.folding import contents, elements
from toolchain.scan.evaluate.interpreter import Interpreter
from toolchain.scan.evaluate.iteration import UNROLL, iterated, worth_unrolling
from toolchain.scan.evaluate.values import UNKNOWN, Const, Map, Seq, Value, is_true, join


def comprehension(kind: str) -> Callable[[Interpreter, Any], Value]:
    def make(it: Interpreter, node: Any) -> Value:
        found: list[Value] = []
        it.frame.push()
        try:
            exact = _generate(it, node.generators, 0, lambda: found.append(it.evaluate(node.elt)))
        finally:
            _keep_walrus(it, node)
        return Seq(kind, found, exact)

    return make


def dict_comprehension(it: Interpreter, node: ast.DictComp) -> Value:
    made = Map()

    def add() -> None:
        key, value = it.evaluate(node.key), it.evaluate(node.value)
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
    if depth == len(generators):
        emit()
        return True
    generator = generators[depth]
    source = iterated(it, it.evaluate(generator.iter), generator.iter)
    items = elements(source)
    unrolled = items is not None and 0 < len(items) <= UNROLL and worth_unrolling(it, items)
    exact = unrolled or (items is not None and not items)
    for item in items if unrolled and items is not None else [join(list(contents(source))[:64] or [UNKNOWN])]:
        it.burn(2)
        assign(it, generator.target, item)
        truths = [is_true(it.evaluate(test)) for test in generator.ifs]
        if False in truths and unrolled:
            continue
        exact = exact and None not in truths
        exact = _generate(it, generators, depth + 1, emit) and exact
    return exact
