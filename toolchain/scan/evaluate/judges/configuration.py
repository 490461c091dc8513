"""Configurations of logging, which may name any callable."""

from __future__ import annotations

import ast

from toolchain.scan.evaluate.interpreter import Call, Interpreter
from toolchain.scan.evaluate.values import (
    UNKNOWN,
    Const,
    Map,
    Seq,
    Value,
    each,
    texts,
)


def judge_configuration(it: Interpreter, path: str, request: Call) -> str | None:
    """The callable that a configuration names."""
    config = request.args[0] if request.args else request.kwargs.get("config", UNKNOWN)
    return _factory(it, config, request.node, 6)


def _factory(it: Interpreter, value: Value, node: ast.AST, depth: int) -> str | None:
    """A ``()`` factory or an ``ext://`` object that a logging configuration names."""
    found: str | None = None
    for option in each(value) if depth else ():
        if isinstance(option, Map):
            for key, item in option.items.items():
                if key == "()":
                    found = found or _named_factory(it, item, node)
                elif key == "class":
                    found = found or _named_class(it, item, node)
                else:
                    found = found or _factory(it, item, node, depth - 1)
        elif isinstance(option, Seq):
            for item in option.items[:64]:
                found = found or _factory(it, item, node, depth - 1)
        elif (
            isinstance(option, Const)
            and isinstance(option.value, str)
            and option.value.startswith(("ext://", "cfg://"))
        ):
            target = option.value.partition("://")[2]
            if not target.startswith("sys.std"):
                it.mention(it.ref(target), node)
                found = found or f"names {target}" if it.policy.match(it.policy.canonical(target)) else found
    return found


def _named_factory(it: Interpreter, item: Value, node: ast.AST) -> str | None:
    for text in texts(item):
        it.mention(it.ref(text), node)
        rule = it.policy.match(it.policy.canonical(text))
        return f"factory {text}" if rule is not None or not text.startswith("logging.") else None
    return None


def _named_class(it: Interpreter, item: Value, node: ast.AST) -> str | None:
    for text in texts(item):
        rule = it.policy.match(it.policy.canonical(text))
        if rule is not None and rule.default != "allowed":
            it.mention(it.ref(text), node)
            return f"class {text}"
    return None
