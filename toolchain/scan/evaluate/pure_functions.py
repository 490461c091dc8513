"""Which functions are folded, and the constants of the standard library that names are made of."""

from __future__ import annotations

import ast
import base64
import binascii
import bz2
import codecs
import html
import json
import lzma
import operator
import string
import struct
import textwrap
import unicodedata
import zlib
from collections.abc import Callable
from itertools import zip_longest
from typing import Any
from urllib.parse import quote, unquote, unquote_plus

from toolchain.scan.evaluate.pure import (
    LIMIT,
    PathText,
    bytes_of,
    format_of,
    gunzip,
    inflate,
    int_of,
    percent,
    power,
    range_of,
    taken,
    times,
    transcode,
)

FUNCTIONS: dict[str, Callable[..., Any]] = {
    "builtins.chr": chr,
    "builtins.ord": ord,
    "builtins.len": len,
    "builtins.str": str,
    "builtins.int": int_of,
    "builtins.float": float,
    "builtins.bool": bool,
    "builtins.hex": hex,
    "builtins.oct": oct,
    "builtins.bin": bin,
    "builtins.abs": abs,
    "builtins.min": min,
    "builtins.max": max,
    "builtins.sum": sum,
    "builtins.round": round,
    "builtins.divmod": divmod,
    "builtins.pow": power,
    "builtins.repr": repr,
    "builtins.ascii": ascii,
    "builtins.format": format_of,
    "builtins.bytes": bytes_of(bytes),
    "builtins.bytearray": lambda *x: list(bytes_of(bytearray)(*x)),
    "builtins.memoryview": bytes,
    "builtins.range": range_of,
    "builtins.complex": complex,
    "builtins.any": any,
    "builtins.all": all,
    "builtins.frozenset": frozenset,
    "builtins.slice": slice,
    "builtins.str.join": lambda s, x: s.join(x),
    "builtins.bytes.fromhex": bytes.fromhex,
    "builtins.bytearray.fromhex": lambda x: list(bytes.fromhex(x)),
    "builtins.str.maketrans": str.maketrans,
    "builtins.bytes.maketrans": bytes.maketrans,
    "builtins.int.from_bytes": int.from_bytes,
    "builtins.dict.fromkeys": dict.fromkeys,
    "builtins.hash": lambda _value: 0,
    "codecs.decode": transcode(codecs.decode),
    "codecs.encode": transcode(codecs.encode),
    "base64.b64decode": lambda data, *_: base64.b64decode(data),
    "base64.b32decode": lambda data, *_: base64.b32decode(data),
    "base64.b16decode": lambda data, *_: base64.b16decode(data, casefold=True),
    "base64.b85decode": base64.b85decode,
    "base64.a85decode": lambda data, *_: base64.a85decode(data),
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.standard_b64decode": base64.standard_b64decode,
    "base64.decodebytes": base64.decodebytes,
    "base64.b64encode": lambda data, *_: base64.b64encode(data),
    "base64.b32encode": base64.b32encode,
    "base64.b16encode": base64.b16encode,
    "base64.b85encode": lambda data, *_: base64.b85encode(data),
    "base64.urlsafe_b64encode": base64.urlsafe_b64encode,
    "base64.standard_b64encode": base64.standard_b64encode,
    "base64.encodebytes": base64.encodebytes,
    "base64.a85encode": lambda data, *_: base64.a85encode(data),
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.hexlify": binascii.hexlify,
    "binascii.a2b_hex": binascii.a2b_hex,
    "binascii.b2a_hex": binascii.b2a_hex,
    "binascii.a2b_base64": lambda data, *_: binascii.a2b_base64(data),
    "binascii.b2a_base64": lambda data, *_: binascii.b2a_base64(data),
    "binascii.a2b_uu": binascii.a2b_uu,
    "binascii.a2b_qp": lambda data, *_: binascii.a2b_qp(data),
    "zlib.decompress": inflate,
    "gzip.decompress": gunzip,
    "zlib.compress": lambda data, *_: zlib.compress(data),
    "bz2.decompress": lambda data: bz2.BZ2Decompressor().decompress(data, LIMIT),
    "lzma.decompress": lambda data, *_: lzma.LZMADecompressor(memlimit=1 << 26).decompress(data, LIMIT),
    "urllib.parse.unquote": lambda data, *_: unquote(data),
    "urllib.parse.quote": lambda data, *_: quote(data),
    "urllib.parse.unquote_plus": lambda data, *_: unquote_plus(data),
    "html.unescape": html.unescape,
    "html.escape": html.escape,
    "ast.literal_eval": ast.literal_eval,
    "textwrap.dedent": textwrap.dedent,
    "struct.pack": struct.pack,
    "struct.unpack": struct.unpack,
    "itertools.islice": taken,
    "itertools.zip_longest": lambda *x: list(zip_longest(*x)),
    "string.capwords": string.capwords,
    "operator.add": operator.add,
    "operator.concat": operator.concat,
    "operator.mod": percent,
    "operator.mul": times,
    "operator.xor": operator.xor,
    "operator.sub": operator.sub,
    "operator.index": operator.index,
    "operator.or_": operator.or_,
    "operator.and_": operator.and_,
    "operator.invert": operator.invert,
    "operator.eq": operator.eq,
    "operator.ne": operator.ne,
    "operator.contains": operator.contains,
    "operator.iconcat": operator.concat,
    "operator.iadd": operator.add,
    "operator.neg": operator.neg,
    "operator.floordiv": operator.floordiv,
    "operator.not_": operator.not_,
    "sys.intern": str,
    "os.fsdecode": lambda x: x if isinstance(x, str) else x.decode(),
    "os.fsencode": lambda x: x if isinstance(x, bytes) else x.encode(),
    "unicodedata.normalize": unicodedata.normalize,
    "json.loads": lambda data: json.loads(data) if len(data) <= LIMIT else None,
    "collections.deque": lambda items=(), *_: list(items),
    "array.array": lambda _kind, items=(): list(items),
    **dict.fromkeys(("pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath"), lambda *x: PathText("/".join(x))),
    "posixpath.join": lambda *x: "/".join(x),
    "os.path.join": lambda *x: "/".join(x),
    "os.path.dirname": lambda x: x.rpartition("/")[0] or ".",
    "os.path.abspath": str,
    "os.path.realpath": str,
    "os.path.basename": lambda x: x.rpartition("/")[2],
    "os.path.splitext": lambda x: (x.rpartition(".")[0], "." + x.rpartition(".")[2]),
}

PATH_JOINING = frozenset(
    {"pathlib.Path", "pathlib.PosixPath", "pathlib.PurePath", "posixpath.join", "os.path.join"}
)
"""What makes a path of its parts; under ``/proc`` a part may be unknown."""

CONSTANTS: dict[str, Any] = {
    **{
        f"string.{name}": getattr(string, name) for name in ("ascii_letters", "ascii_lowercase", "ascii_uppercase")
    },
    **{f"string.{name}": getattr(string, name) for name in ("digits", "hexdigits", "octdigits", "punctuation")},
    "string.printable": string.printable,
    "string.whitespace": string.whitespace,
    "os.sep": "/",
    "os.curdir": ".",
    "os.name": "posix",
    "os.linesep": "\n",
}
