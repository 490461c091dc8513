"""What a flag may be."""

from __future__ import annotations

from toolchain.scan.evaluate.values import Const, Value, each


def may_be_true(value: Value) -> bool:
    """Whether a value is known to be true on some path."""
    return any(isinstance(option, Const) and bool(option.value) for option in each(value))


def may_be_false(value: Value) -> bool:
    """Whether a value is known to be false on some path."""
    return any(isinstance(option, Const) and not option.value for option in each(value))


def surely_true(value: Value | None) -> bool:
    """Whether a value is ``True`` on every path."""
    return value is not None and all(isinstance(option, Const) and option.value is True for option in each(value))
