"""Text that runs as code."""

from __future__ import annotations

from toolchain.scan.evaluate.interpreter import Call, Interpreter
from toolchain.scan.evaluate.values import (
    Class,
    Const,
    Function,
    OwnModule,
    Ref,
    Seq,
    Value,
    each,
    texts,
)
from toolchain.scan.policy import TextArgument


def judge_text(it: Interpreter, path: str, request: Call) -> str | None:
    """A literal was read as code already; what else may be text is not known before it runs."""
    where = it.policy.texts[path]
    given = argument(where, request)
    if where.beside is not None and not _is_text(argument(where.beside, request), given):
        return None
    if where.listed:
        given = [item for value in given for item in (value.items if isinstance(value, Seq) else [value])]
        given = given or [Const(None)]
    known = all(
        isinstance(option, Const) or (where.objects and _is_object(it, option))
        for value in given
        for option in each(value)
    )
    return None if known and given else "runs the text that it is given"


def _is_object(it: Interpreter, value: Value) -> bool:
    """Whether a value is no text for sure: a class, a function or a module."""
    if isinstance(value, Ref):
        return "(" not in value.path and "?" not in value.path
    return isinstance(it.force(value), (Class, Function, OwnModule))


def _is_text(beside: list[Value], given: list[Value]) -> bool:
    return bool(given) and any(True for value in beside for _ in texts(value))


def argument(where: TextArgument, request: Call) -> list[Value]:
    """The argument at a position or under a keyword; empty where the call does not say."""
    named = request.kwargs.get(where.keyword)
    return request.args[where.position : where.position + 1] or ([named] if named is not None else [])
