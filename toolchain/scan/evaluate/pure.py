"""Folding: functions and methods whose result on known arguments is computed, within bounds on work and size.

Only functions that touch nothing but their arguments are here. No argument comes from anything but literals of the
scanned file, and none is ever a callable.
"""

from __future__ import annotations

import ast
import codecs
import operator
import re
import zlib
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

LIMIT = 1 << 16
PARTS = 4096
_NUMBER_LIMIT = 1 << 20
_CODECS = frozenset(
    {
        "rot13",
        "rot_13",
        "rot-13",
        "hex",
        "hex_codec",
        "base64",
        "base64_codec",
        "utf-8",
        "utf8",
        "ascii",
        "latin-1",
        "latin1",
    }
    | {
        "iso-8859-1",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "utf-32",
        "unicode_escape",
        "unicode-escape",
        "utf-7",
        "cp437",
    }
    | {
        "raw_unicode_escape",
        "uu",
        "quopri",
        "punycode",
        "idna",
        "cp1252",
        "utf_8",
        "utf_16",
        "cp037",
        "cp500",
        "utf_7",
    }
)


ANYTHING = "?"
"""Stands for an unknown part of a path under ``/proc``, so that the rest of the path is not lost."""


def is_process_path(value: object) -> bool:
    """Whether an abstract value is text that begins a path under ``/proc``; ``/processed`` is another folder."""
    text = getattr(value, "value", None)
    return isinstance(text, str) and (text == "/proc" or text.startswith("/proc/"))


_CONVERSION = re.compile(r"%[-#0 +\d.]*[a-z]")


def path_of_any(template: str) -> str:
    """``"/proc/%d/mem" % pid`` for a number that is not known."""
    return _CONVERSION.sub(ANYTHING, template)


class PathText(str):
    """A ``pathlib`` path with known parts: joined by ``/`` and otherwise its text."""

    __slots__ = ()

    def __truediv__(self, other: str) -> PathText:
        return PathText(f"{self}/{other}")


class TooMuch(Exception):
    """The result would be larger than the evaluator holds."""


def bounded(value: Any) -> Any:
    """``value`` unless it is too large. Raises ``TooMuch``."""
    if isinstance(value, (str, bytes)) and len(value) > LIMIT:
        raise TooMuch
    if isinstance(value, (list, tuple, dict, set, frozenset)) and len(value) > PARTS:
        raise TooMuch
    if isinstance(value, int) and not -(1 << 4096) < value < (1 << 4096):
        raise TooMuch
    return value


def range_of(*args: int) -> list[int]:
    numbers = range(*args)
    if len(numbers) > PARTS:
        raise TooMuch
    return list(numbers)


def inflate(data: bytes, *rest: int) -> bytes:
    return zlib.decompressobj(rest[0] if rest else 15).decompress(data, LIMIT)


def gunzip(data: bytes) -> bytes:
    return zlib.decompressobj(31).decompress(data, LIMIT)


def transcode(direction: Callable[..., Any]) -> Callable[..., Any]:
    def convert(data: Any, encoding: str = "utf-8", *_errors: Any) -> Any:
        name = encoding.lower()
        if name in {"zip", "zlib", "zlib_codec"} and direction is codecs.decode:
            return inflate(data)
        if name.replace(" ", "_") not in _CODECS:
            raise TooMuch
        return direction(data, name, "ignore")

    return convert


def power(left: Any, right: Any, *modulus: Any) -> Any:
    if (
        isinstance(left, int)
        and isinstance(right, int)
        and left.bit_length() * max(right, 0) > 4096
        and not modulus
    ):
        raise TooMuch
    return pow(left, right, *modulus)


def times(left: Any, right: Any) -> Any:
    for one, other in ((left, right), (right, left)):
        if hasattr(one, "__len__") and isinstance(other, int) and len(one) * max(other, 0) > LIMIT:
            raise TooMuch
    return operator.mul(left, right)


def _shift(left: int, right: int) -> int:
    if right > 4096:
        raise TooMuch
    return left << right


def percent(left: Any, right: Any) -> Any:
    if isinstance(left, (str, bytes)):
        text = left if isinstance(left, str) else left.decode("latin-1")
        refuse_wide(text)
        if "*" in text:
            raise TooMuch
    return left % right


def refuse_wide(text: str) -> None:
    digits = 0
    for letter in text:
        digits = digits + 1 if letter.isdigit() else 0
        if digits > 4:
            raise TooMuch


def format_of(value: Any, spec: str = "") -> str:
    refuse_wide(spec)
    return format(value, spec)


def int_of(*args: Any) -> int:
    if args and isinstance(args[0], (str, bytes)) and len(args[0]) > 2048:
        raise TooMuch
    return int(*args)


def bytes_of(kind: type[Any]) -> Callable[..., Any]:
    def make(*args: Any) -> Any:
        if args and isinstance(args[0], int) and args[0] > LIMIT:
            raise TooMuch
        return bytes(kind(*args))

    return make


def taken(items: Iterable[Any], *bounds: Any) -> list[Any]:
    return list(islice(items, *bounds))


_TEXT = frozenset(
    [
        "join",
        "replace",
        "split",
        "rsplit",
        "strip",
        "lstrip",
        "rstrip",
        "lower",
        "upper",
        "title",
        "swapcase",
        "casefold",
        "capitalize",
        "encode",
        "decode",
        "translate",
        "removeprefix",
        "removesuffix",
        "partition",
        "rpartition",
        "splitlines",
        "index",
        "find",
        "rfind",
        "rindex",
        "count",
        "startswith",
        "endswith",
        "hex",
        "isalpha",
        "isdigit",
        "isupper",
        "islower",
        "isidentifier",
        "isalnum",
        "isspace",
        "isnumeric",
        "format",
        "format_map",
        "maketrans",
        "fromhex",
        "tobytes",
        "to_bytes",
        "bit_length",
        "conjugate",
        "is_integer",
        "as_integer_ratio",
    ]
)
_PADDING = frozenset(["center", "ljust", "rjust", "zfill", "expandtabs"])


def call_method(receiver: Any, name: str, args: list[Any]) -> Any:
    """A method of a string, bytes or number on known arguments. Raises on anything that is not foldable."""
    if name in {"__add__", "__concat__"}:
        return bounded(receiver + args[0])
    if name in {"__mul__", "__rmul__"}:
        return bounded(times(receiver, args[0]))
    if name == "__mod__":
        return bounded(percent(receiver, args[0]))
    if name == "__getitem__":
        return receiver[args[0]]
    if name in {
        "__str__",
        "__repr__",
        "__len__",
        "__int__",
        "__format__",
        "__xor__",
        "__or__",
        "__and__",
        "__sub__",
    }:
        return bounded(getattr(receiver, name)(*args))
    if name in _PADDING:
        if any(isinstance(arg, int) and arg > 4096 for arg in args):
            raise TooMuch
    elif name not in _TEXT:
        raise TypeError(name)
    if name in {"encode", "decode"} and args and str(args[0]).lower() not in _CODECS:
        raise TooMuch
    if name == "replace" and len(receiver) * max(1, len(args[1])) > LIMIT * 16:
        raise TooMuch
    if name in {"format", "format_map"}:
        refuse_wide(receiver)
        if "." in receiver or ("{" in receiver.replace("{{", "") and any(not _plain(arg) for arg in args)):
            raise TooMuch
    return bounded(getattr(receiver, name)(*args))


def _plain(value: Any) -> bool:
    return isinstance(value, (str, int, float, bytes, type(None), dict, list, tuple))


BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: times,
    ast.Mod: percent,
    ast.BitXor: operator.xor,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
    ast.FloorDiv: operator.floordiv,
    ast.Div: operator.truediv,
    ast.LShift: _shift,
    ast.RShift: operator.rshift,
    ast.Pow: power,
}
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Invert: operator.invert,
}
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda a, b: a in b,
    ast.NotIn: lambda a, b: a not in b,
    ast.Is: lambda a, b: a is b or a == b,
    ast.IsNot: lambda a, b: not (a is b or a == b),
}
