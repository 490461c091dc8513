# a dispatcher over kinds; data tables
# ruff: noqa: C901, E501
"""Folding: functions and methods whose result on known arguments is computed, within bounds on work and size.

Only functions that touch nothing but their arguments are here. No argument comes from anything but literals of the
scanned file, and none is ever a callable.
"""

from __future__ import annotations

import ast
import base64
import binascii
import bz2
import codecs
import html
import lzma
import operator
import string
import struct
import textwrap
import zlib
from collections.abc import Callable, Iterable
from itertools import chain, islice, zip_longest
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

LIMIT = 1 << 16
PARTS = 4096
_NUMBER_LIMIT = 1 << 20
_CODECS = frozenset(
    {"rot13", "rot_13", "rot-13", "hex", "hex_codec", "base64", "base64_codec", "utf-8", "utf8", "ascii", "latin-1", "latin1"}
    | {"iso-8859-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "unicode_escape", "unicode-escape", "utf-7", "cp437"}
    | {"raw_unicode_escape", "uu", "quopri", "punycode", "idna", "cp1252", "utf_8", "utf_16", "cp037", "cp500", "utf_7"}
)  # fmt: skip


ANYTHING = "?"
"""Stands for an unknown part of a path under ``/proc``, so that the rest of the path is not lost."""


def is_process_path(value: object) -> bool:
    """Whether an abstract value is text that begins a path under ``/proc``."""
    text = getattr(value, "value", None)
    return isinstance(text, str) and text.startswith("/proc/")


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


def _range(*args: int) -> list[int]:
    numbers = range(*args)
    if len(numbers) > PARTS:
        raise TooMuch
    return list(numbers)


def _inflate(data: bytes, *rest: int) -> bytes:
    return zlib.decompressobj(rest[0] if rest else 15).decompress(data, LIMIT)


def _gunzip(data: bytes) -> bytes:
    return zlib.decompressobj(31).decompress(data, LIMIT)


def _transcode(direction: Callable[..., Any]) -> Callable[..., Any]:
    def convert(data: Any, encoding: str = "utf-8", *_errors: Any) -> Any:
        name = encoding.lower()
        if name in {"zip", "zlib", "zlib_codec"} and direction is codecs.decode:
            return _inflate(data)
        if name.replace(" ", "_") not in _CODECS:
            raise TooMuch
        return direction(data, name, "ignore")

    return convert


def _power(left: Any, right: Any, *modulus: Any) -> Any:
    if (
        isinstance(left, int)
        and isinstance(right, int)
        and left.bit_length() * max(right, 0) > 4096
        and not modulus
    ):
        raise TooMuch
    return pow(left, right, *modulus)


def _times(left: Any, right: Any) -> Any:
    for one, other in ((left, right), (right, left)):
        if hasattr(one, "__len__") and isinstance(other, int) and len(one) * max(other, 0) > LIMIT:
            raise TooMuch
    return operator.mul(left, right)


def _shift(left: int, right: int) -> int:
    if right > 4096:
        raise TooMuch
    return left << right


def _percent(left: Any, right: Any) -> Any:
    if isinstance(left, (str, bytes)):
        text = left if isinstance(left, str) else left.decode("latin-1")
        _refuse_wide(text)
        if "*" in text:
            raise TooMuch
    return left % right


def _refuse_wide(text: str) -> None:
    digits = 0
    for letter in text:
        digits = digits + 1 if letter.isdigit() else 0
        if digits > 4:
            raise TooMuch


def _format(value: Any, spec: str = "") -> str:
    _refuse_wide(spec)
    return format(value, spec)


def _int(*args: Any) -> int:
    if args and isinstance(args[0], (str, bytes)) and len(args[0]) > 2048:
        raise TooMuch
    return int(*args)


def _bytes(kind: type[Any]) -> Callable[..., Any]:
    def make(*args: Any) -> Any:
        if args and isinstance(args[0], int) and args[0] > LIMIT:
            raise TooMuch
        return bytes(kind(*args))

    return make


def _islice(items: Iterable[Any], *bounds: Any) -> list[Any]:
    return list(islice(items, *bounds))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "builtins.chr": chr, "builtins.ord": ord, "builtins.len": len, "builtins.str": str, "builtins.int": _int,
    "builtins.float": float, "builtins.bool": bool, "builtins.hex": hex, "builtins.oct": oct, "builtins.bin": bin,
    "builtins.abs": abs, "builtins.min": min, "builtins.max": max, "builtins.sum": sum, "builtins.round": round,
    "builtins.divmod": divmod, "builtins.pow": _power, "builtins.repr": repr, "builtins.ascii": ascii,
    "builtins.format": _format, "builtins.bytes": _bytes(bytes), "builtins.bytearray": lambda *x: list(_bytes(bytearray)(*x)),
    "builtins.memoryview": bytes, "builtins.range": _range, "builtins.complex": complex, "builtins.any": any, "builtins.all": all,
    "builtins.frozenset": frozenset, "builtins.slice": slice,
    "builtins.str.join": lambda s, x: s.join(x), "builtins.bytes.fromhex": bytes.fromhex,
    "builtins.bytearray.fromhex": lambda x: list(bytes.fromhex(x)), "builtins.str.maketrans": str.maketrans,
    "builtins.bytes.maketrans": bytes.maketrans, "builtins.int.from_bytes": int.from_bytes,
    "builtins.dict.fromkeys": dict.fromkeys, "builtins.hash": lambda _value: 0,
    "codecs.decode": _transcode(codecs.decode), "codecs.encode": _transcode(codecs.encode),
    "base64.b64decode": lambda data, *_: base64.b64decode(data), "base64.b32decode": lambda data, *_: base64.b32decode(data),
    "base64.b16decode": lambda data, *_: base64.b16decode(data, casefold=True), "base64.b85decode": base64.b85decode,
    "base64.a85decode": lambda data, *_: base64.a85decode(data), "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.standard_b64decode": base64.standard_b64decode, "base64.decodebytes": base64.decodebytes,
    "base64.b64encode": lambda data, *_: base64.b64encode(data), "base64.b32encode": base64.b32encode,
    "base64.b16encode": base64.b16encode, "base64.b85encode": lambda data, *_: base64.b85encode(data),
    "base64.urlsafe_b64encode": base64.urlsafe_b64encode, "base64.standard_b64encode": base64.standard_b64encode,
    "base64.encodebytes": base64.encodebytes, "base64.a85encode": lambda data, *_: base64.a85encode(data),
    "binascii.unhexlify": binascii.unhexlify, "binascii.hexlify": binascii.hexlify, "binascii.a2b_hex": binascii.a2b_hex,
    "binascii.b2a_hex": binascii.b2a_hex, "binascii.a2b_base64": lambda data, *_: binascii.a2b_base64(data),
    "binascii.b2a_base64": lambda data, *_: binascii.b2a_base64(data), "binascii.a2b_uu": binascii.a2b_uu,
    "binascii.a2b_qp": lambda data, *_: binascii.a2b_qp(data),
    "zlib.decompress": _inflate, "gzip.decompress": _gunzip, "zlib.compress": lambda data, *_: zlib.compress(data),
    "bz2.decompress": lambda data: bz2.BZ2Decompressor().decompress(data, LIMIT),
    "lzma.decompress": lambda data, *_: lzma.LZMADecompressor(memlimit=1 << 26).decompress(data, LIMIT),
    "urllib.parse.unquote": lambda data, *_: unquote(data), "urllib.parse.quote": lambda data, *_: quote(data),
    "urllib.parse.unquote_plus": lambda data, *_: unquote_plus(data), "html.unescape": html.unescape,
    "html.escape": html.escape, "ast.literal_eval": ast.literal_eval, "textwrap.dedent": textwrap.dedent,
    "struct.pack": struct.pack, "struct.unpack": struct.unpack, "itertools.chain": lambda *x: list(chain(*x)),
    "itertools.chain.from_iterable": lambda x: list(chain.from_iterable(x)), "itertools.islice": _islice,
    "itertools.zip_longest": lambda *x: list(zip_longest(*x)), "string.capwords": string.capwords,
    "operator.add": operator.add, "operator.concat": operator.concat, "operator.mod": _percent, "operator.mul": _times,
    "operator.xor": operator.xor, "operator.sub": operator.sub, "operator.index": operator.index, "operator.or_": operator.or_,
    "operator.and_": operator.and_, "operator.invert": operator.invert, "operator.eq": operator.eq, "operator.ne": operator.ne,
    "operator.contains": operator.contains, "operator.iconcat": operator.concat, "operator.iadd": operator.add, "operator.neg": operator.neg,
    "operator.floordiv": operator.floordiv, "operator.not_": operator.not_, "sys.intern": str, "os.fsdecode": lambda x: x if isinstance(x, str) else x.decode(),
    "os.fsencode": lambda x: x if isinstance(x, bytes) else x.encode(), "unicodedata.normalize": lambda f, x: __import__("unicodedata").normalize(f, x),
    "json.loads": lambda data: __import__("json").loads(data) if len(data) <= LIMIT else None,
    "collections.deque": lambda items=(), *_: list(items), "array.array": lambda _kind, items=(): list(items),
    **dict.fromkeys(("pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath"), lambda *x: PathText("/".join(x))),
    "posixpath.join": lambda *x: "/".join(x), "os.path.join": lambda *x: "/".join(x),
    "os.path.basename": lambda x: x.rpartition("/")[2], "os.path.splitext": lambda x: (x.rpartition(".")[0], "." + x.rpartition(".")[2]),
}  # fmt: skip

CONSTANTS: dict[str, Any] = {
    **{f"string.{name}": getattr(string, name) for name in ("ascii_letters", "ascii_lowercase", "ascii_uppercase")},
    **{f"string.{name}": getattr(string, name) for name in ("digits", "hexdigits", "octdigits", "punctuation")},
    "string.printable": string.printable, "string.whitespace": string.whitespace,
    "typing.TYPE_CHECKING": None, "os.sep": "/", "os.curdir": ".", "os.name": "posix", "os.linesep": "\n",
}  # fmt: skip
del CONSTANTS["typing.TYPE_CHECKING"]

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
        return bounded(_times(receiver, args[0]))
    if name == "__mod__":
        return bounded(_percent(receiver, args[0]))
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
        _refuse_wide(receiver)
        if "." in receiver or ("{" in receiver.replace("{{", "") and any(not _plain(arg) for arg in args)):
            raise TooMuch
    return bounded(getattr(receiver, name)(*args))


def _plain(value: Any) -> bool:
    return isinstance(value, (str, int, float, bytes, type(None), dict, list, tuple))


BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: _times, ast.Mod: _percent, ast.BitXor: operator.xor,
    ast.BitOr: operator.or_, ast.BitAnd: operator.and_, ast.FloorDiv: operator.floordiv, ast.Div: operator.truediv,
    ast.LShift: _shift, ast.RShift: operator.rshift, ast.Pow: _power,
}  # fmt: skip
UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {
    ast.Not: operator.not_, ast.USub: operator.neg, ast.UAdd: operator.pos, ast.Invert: operator.invert,
}  # fmt: skip
COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt,
    ast.GtE: operator.ge, ast.In: lambda a, b: a in b, ast.NotIn: lambda a, b: a not in b,
    ast.Is: lambda a, b: a is b or a == b, ast.IsNot: lambda a, b: not (a is b or a == b),
}  # fmt: skip
