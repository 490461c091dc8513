"""Between abstract values and the Python objects that folding computes with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, product
from typing import Any

from toolchain.scan.evaluate.pure import TooMuch, bounded
from toolchain.scan.evaluate.values import UNKNOWN, Const, Dunder, Map, Seq, Union, Value, each, join

_COMBINATIONS = 24
_MOST_PARTS = 8192
_MOST_YIELDED = 256
_PLAIN: frozenset[type] = frozenset({str, bytes, int, float, bool, complex, type(None), type(...)})
_CONSTANT: tuple[type, ...] = (*_PLAIN, slice)  # and what is made of them, such as the text of a path
_KNOWABLE = frozenset({Const, Seq, Map, Union})
_ERRORS = (ArithmeticError, ValueError, TypeError, LookupError, AttributeError, SyntaxError, EOFError)


class NotKnown(Exception):
    """The value is not fully known."""


def concrete(value: Value, depth: int = 6) -> Any:
    """The Python object that a fully known value stands for. Raises ``NotKnown``, also for what is too large."""
    if isinstance(value, Const):
        return value.value
    return _concrete(value, depth, [_MOST_PARTS])


def _concrete(value: Value, depth: int, room: list[int]) -> Any:
    if isinstance(value, Const):
        return value.value
    size = len(value.items) if isinstance(value, (Seq, Map)) else 0
    room[0] -= size
    if room[0] < 0 or not depth:
        raise NotKnown
    if isinstance(value, Seq) and value.exact:
        items = [_concrete(item, depth - 1, room) for item in value.items]
        return tuple(items) if value.kind == "tuple" else items
    if isinstance(value, Map) and value.rest is None:
        return {key: _concrete(item, depth - 1, room) for key, item in value.items.items()}
    raise NotKnown


def known(value: Value) -> bool:
    """Whether ``concrete`` would succeed, cheaply for the common cases."""
    if isinstance(value, Const):
        return True
    try:
        concrete(value)
    except NotKnown:
        return False
    return True


def lift(item: Any) -> Value:
    """The abstract value of a Python object that folding made."""
    if isinstance(item, (list, tuple, set, frozenset, range)):
        kind = "tuple" if isinstance(item, tuple) else "set" if isinstance(item, (set, frozenset)) else "list"
        return Seq(kind, [Const(part) if type(part) in _PLAIN else lift(part) for part in item])
    if isinstance(item, dict):
        return Map({key: lift(part) for key, part in item.items()})
    if isinstance(item, bytearray):
        return Const(bytes(item))
    if isinstance(item, _CONSTANT):
        return Const(item)
    return UNKNOWN


def fold(function: Callable[..., Any], *args: Value) -> Value:
    """Apply a pure function to every combination of known alternatives; ``UNKNOWN`` where it cannot be."""
    for arg in args:
        if type(arg) not in _KNOWABLE:
            return UNKNOWN
    results: list[Value] = []
    for combination in islice(product(*(each(arg) for arg in args)), _COMBINATIONS):
        try:
            results.append(lift(bounded(function(*(concrete(value) for value in combination)))))
        except (NotKnown, TooMuch, MemoryError, RecursionError):
            results.append(UNKNOWN)  # too much for a scan: where the plugin runs there would be a value
        except _ERRORS:
            continue  # this alternative would raise: no value comes of it
        except Exception:  # noqa: BLE001, S112 - zlib.error, binascii.Error, lzma.LZMAError and their kin are unrelated
            continue
    return join(results)


def elements(value: Value) -> list[Value] | None:
    """What iterating over a value yields, in order, or ``None`` where that is not known."""
    if isinstance(value, Seq):
        return list(value.items) if value.exact else None
    if isinstance(value, Map):
        return [lift(key) for key in value.items] if value.rest is None else None
    if isinstance(value, Const) and isinstance(value.value, (str, bytes)):
        return [Const(item) for item in value.value]
    return None


def contents(value: Value) -> Iterator[Value]:
    """Everything that iterating over a value may yield."""
    for option in each(value):
        if isinstance(option, Dunder) and option.kind in {"mro", "bases"}:
            yield Dunder("base", option.trail)
            continue
        if isinstance(option, Seq):
            yield from option.items[:_MOST_YIELDED]
        found = elements(option) if not isinstance(option, Seq) else None
        if found is not None:
            yield from found[:64]
        elif not isinstance(option, Seq) or not option.exact:
            yield UNKNOWN
