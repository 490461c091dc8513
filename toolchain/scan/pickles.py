"""Pickles, judged by their opcodes; nothing is loaded.

A pickle may import only the constructors of plain data, arrays and tensors, and anything else is a finding. Names
are followed through the stack and the memo as the loader would, so that no order of opcodes hides one.
docs/scan.md says how this compares with the libraries for it.
"""

from __future__ import annotations

import pickletools
from typing import Any

_SAFE = frozenset(
    f"{module}.{name}"
    for module, names in (
        (
            "builtins",
            "set frozenset dict list tuple int float complex bytearray slice range bytes str bool object",
        ),
        ("collections", "OrderedDict defaultdict Counter deque"),
        ("datetime", "datetime date timedelta time timezone"),
        ("decimal", "Decimal"),
        ("fractions", "Fraction"),
        ("uuid", "UUID"),
        ("pathlib", "PurePosixPath PosixPath"),
        ("copyreg", "_reconstructor"),
        ("_codecs", "encode"),
        ("numpy", "ndarray dtype"),
        ("numpy.core.multiarray", "_reconstruct scalar"),
        ("numpy._core.multiarray", "_reconstruct scalar"),
        ("numpy.core.numeric", "_frombuffer"),
        ("numpy._core.numeric", "_frombuffer"),
        ("torch._utils", "_rebuild_tensor_v2 _rebuild_tensor _rebuild_parameter _rebuild_qtensor"),
        ("torch", "Size device float32 float16 bfloat16 float64 int64 int32 int16 int8 uint8 bool"),
        ("torch", "FloatStorage LongStorage HalfStorage IntStorage DoubleStorage ByteStorage BoolStorage"),
        ("torch", "ShortStorage CharStorage BFloat16Storage"),
        ("torch.storage", "UntypedStorage"),
    )
    for name in names.split()
)
_MAX_OPCODES = 2_000_000
_LEGACY_TORCH = 0x1950A86A20F9469CFC6C
"""The number that a file of ``torch.save`` before its zip format begins with; raw tensors follow its pickles."""

_MARK = object()
_UNKNOWN = object()


def pickle_problems(data: bytes) -> list[tuple[str, str]]:
    """(name, message) for everything that a pickle, or the pickles one after another, may not do."""
    found: dict[tuple[str, str], None] = {}
    start, budget, legacy = 0, _MAX_OPCODES, False
    while start < len(data.rstrip(b"\0")):
        walk = _Walk(budget)
        try:
            end = start + walk.run(data[start:])
        except Exception as reason:  # noqa: BLE001 - pickletools raises many kinds on hostile input, each a failure
            if not start:
                found["unreadable", f"a pickle that cannot be read to its end ({type(reason).__name__})"] = None
            elif not legacy:
                found["trailing", "bytes after the pickle that are no pickle"] = None
            found.update(dict.fromkeys(walk.found))
            break
        found.update(dict.fromkeys(walk.found))
        legacy = legacy or walk.last == _LEGACY_TORCH
        start, budget = end, walk.budget
    return list(found)


class _Walk:
    """The loader's stack and memo, holding only strings, numbers and marks."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.found: list[tuple[str, str]] = []
        self.last: Any = None

    def run(self, data: bytes) -> int:
        """Walk one pickle; how many bytes it has. Raises ``ValueError`` and others where it cannot be read."""
        for opcode, argument, position in pickletools.genops(data):
            self.budget -= 1
            if self.budget < 0:
                raise ValueError("more opcodes than a scan reads")
            self._step(opcode, argument)
            if opcode.name == "STOP":
                return (position or 0) + 1
        raise ValueError("no end")

    def _step(self, opcode: Any, argument: Any) -> None:
        name = opcode.name
        if name in {"GLOBAL", "INST"}:
            self.found += _judged(str(argument).replace(" ", ".", 1))
        elif name == "STACK_GLOBAL":
            self.found += _judged(".".join(part if isinstance(part, str) else "?" for part in self.stack[-2:]))
        elif name in {"EXT1", "EXT2", "EXT4"}:
            self.found.append((name, "a pickle that uses the extension registry"))
        if name in {"PUT", "BINPUT", "LONG_BINPUT"}:
            self.memo[int(argument)] = self.stack[-1]
        elif name == "MEMOIZE":
            self.memo[len(self.memo)] = self.stack[-1]
        elif name in {"GET", "BINGET", "LONG_BINGET"}:
            self.stack.append(self.memo[int(argument)])
        elif name == "DUP":
            self.stack.append(self.stack[-1])
        elif name == "MARK":
            self.stack.append(_MARK)
        else:
            self._move(opcode, argument)

    def _move(self, opcode: Any, argument: Any) -> None:
        """Take from the stack and put on it what the opcode's description says."""
        if pickletools.markobject in opcode.stack_before or opcode.name == "POP_MARK":
            while self.stack.pop() is not _MARK:
                pass
            before = opcode.stack_before.index(pickletools.markobject)
        else:
            before = len(opcode.stack_before)
        for _ in range(before):
            self.last = self.stack.pop()
        pushed = argument if isinstance(argument, (str, int)) else _UNKNOWN
        self.stack += [pushed] * len(opcode.stack_after)


def _judged(name: str) -> list[tuple[str, str]]:
    name = name.replace("__builtin__.", "builtins.").replace("copy_reg.", "copyreg.")
    return [] if name in _SAFE else [(name, f"a pickle that imports {name}")]
