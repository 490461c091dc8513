"""Pickles, judged by their opcodes; nothing is loaded.

A pickle may import only the constructors of plain data, arrays and tensors, and anything else is a finding.
"""

from __future__ import annotations

import io
import pickletools
import zipfile
from collections.abc import Iterator

_SAFE = frozenset(
    {
        "builtins.set",
        "builtins.frozenset",
        "builtins.dict",
        "builtins.list",
        "builtins.tuple",
        "builtins.int",
        "builtins.float",
        "builtins.complex",
        "builtins.bytearray",
        "builtins.slice",
        "builtins.range",
        "builtins.bytes",
        "builtins.str",
        "builtins.bool",
        "collections.OrderedDict",
        "collections.defaultdict",
        "collections.Counter",
        "collections.deque",
        "datetime.datetime",
        "datetime.date",
        "datetime.timedelta",
        "datetime.time",
        "datetime.timezone",
        "decimal.Decimal",
        "fractions.Fraction",
        "uuid.UUID",
        "copyreg._reconstructor",
        "builtins.object",
        "_codecs.encode",
        "numpy.ndarray",
        "numpy.dtype",
        "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct",
        "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar",
        "numpy.core.numeric._frombuffer",
        "numpy._core.numeric._frombuffer",
        "torch._utils._rebuild_tensor_v2",
        "torch._utils._rebuild_tensor",
        "torch._utils._rebuild_parameter",
        "torch._utils._rebuild_qtensor",
        "torch.Size",
        "torch.device",
        "torch.FloatStorage",
        "torch.LongStorage",
        "torch.HalfStorage",
        "torch.IntStorage",
        "torch.DoubleStorage",
        "torch.ByteStorage",
        "torch.BoolStorage",
        "torch.ShortStorage",
        "torch.CharStorage",
        "torch.BFloat16Storage",
        "torch.storage.UntypedStorage",
        "torch.storage._load_from_bytes_",
        "torch.float32",
        "torch.float16",
        "torch.bfloat16",
        "torch.float64",
        "torch.int64",
        "torch.int32",
        "pathlib.PurePosixPath",
        "pathlib.PosixPath",
    }
)
_MAX_OPCODES = 2_000_000


def pickle_problems(data: bytes) -> list[tuple[str, str]]:
    """(name, message) for everything that a pickle, or the pickles in a zip, may not do."""
    if data.startswith(b"PK"):
        return _in_zip(data)
    try:
        return list(dict.fromkeys(_imports(data)))
    except Exception as reason:  # noqa: BLE001 - pickletools raises many kinds on hostile input, each a failure
        return [("unreadable", f"a pickle that cannot be read to its end ({type(reason).__name__})")]


def _in_zip(data: bytes) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            if info.filename.endswith((".pkl", ".pickle")) and info.file_size < 64 << 20:
                found += pickle_problems(archive.read(info))
    return found


def _imports(data: bytes) -> Iterator[tuple[str, str]]:
    strings: list[str] = []
    stream = io.BytesIO(data)
    seen = 0
    while stream.tell() < len(data):
        for opcode, argument, _position in pickletools.genops(stream):
            seen += 1
            if seen > _MAX_OPCODES:
                yield "too long", "a pickle with more opcodes than a scan reads"
                return
            name = opcode.name
            if (isinstance(argument, str) and "UNICODE" in name) or name in {
                "STRING",
                "SHORT_BINSTRING",
                "BINSTRING",
            }:
                strings.append(str(argument))
            if name in {"GLOBAL", "INST"}:
                yield from _judged(str(argument).replace(" ", "."))
            elif name == "STACK_GLOBAL":
                yield from _judged(".".join(strings[-2:]) if len(strings) > 1 else "?")
            elif name in {"EXT1", "EXT2", "EXT4"}:
                yield name, "a pickle that uses the extension registry"
        if data[stream.tell() : stream.tell() + 1] not in {b"\x80", b"("}:
            break


def _judged(name: str) -> Iterator[tuple[str, str]]:
    name = name.replace("__builtin__.", "builtins.").replace("copy_reg.", "copyreg.")
    if name not in _SAFE:
        yield name, f"a pickle that imports {name}"
