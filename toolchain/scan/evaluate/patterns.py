"""``match``: patterns take values apart as attribute access and subscripts do."""

from __future__ import annotations

import ast

from toolchain.scan.evaluate.folding import contents, elements
from toolchain.scan.evaluate.interpreter import Interpreter
from toolchain.scan.evaluate.values import UNKNOWN, Seq, Value, join


def bind_pattern(it: Interpreter, pattern: ast.pattern, subject: Value) -> None:
    """Bind the names of a pattern, as if it matched."""
    if isinstance(pattern, ast.MatchAs):
        if pattern.pattern is not None:
            bind_pattern(it, pattern.pattern, subject)
        if pattern.name is not None:
            it.frame.set(pattern.name, subject)
    elif isinstance(pattern, ast.MatchStar):
        if pattern.name is not None:
            it.frame.set(pattern.name, subject)
    elif isinstance(pattern, ast.MatchOr):
        for option in pattern.patterns:
            bind_pattern(it, option, subject)
    elif isinstance(pattern, ast.MatchClass):
        _class(it, pattern, subject)
    elif isinstance(pattern, ast.MatchMapping):
        _mapping(it, pattern, subject)
    elif isinstance(pattern, ast.MatchSequence):
        _sequence(it, pattern, subject)
    elif isinstance(pattern, ast.MatchValue):
        _expression(it, pattern.value)


def _class(it: Interpreter, pattern: ast.MatchClass, subject: Value) -> None:
    _expression(it, pattern.cls)
    for inner in pattern.patterns:
        bind_pattern(it, inner, subject)
    for name, inner in zip(pattern.kwd_attrs, pattern.kwd_patterns, strict=True):
        bind_pattern(it, inner, it.attribute(subject, name, pattern))


def _mapping(it: Interpreter, pattern: ast.MatchMapping, subject: Value) -> None:
    for key, inner in zip(pattern.keys, pattern.patterns, strict=True):
        bind_pattern(it, inner, it.item(subject, _expression(it, key), pattern))
    if pattern.rest is not None:
        it.frame.set(pattern.rest, subject)


def _sequence(it: Interpreter, pattern: ast.MatchSequence, subject: Value) -> None:
    items = elements(subject)
    star = any(isinstance(inner, ast.MatchStar) for inner in pattern.patterns)
    if items is not None and len(items) == len(pattern.patterns) and not star:
        for inner, item in zip(pattern.patterns, items, strict=True):
            bind_pattern(it, inner, item)
        return
    anything = join(list(contents(subject))[:64] or [UNKNOWN])
    for inner in pattern.patterns:
        bind_pattern(
            it, inner, Seq("list", [anything], exact=False) if isinstance(inner, ast.MatchStar) else anything
        )


def _expression(it: Interpreter, node: ast.expr) -> Value:
    return it.evaluate(node)
