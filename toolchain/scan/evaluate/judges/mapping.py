"""Memory maps, of which only those that are read are harmless."""

from __future__ import annotations

from toolchain.scan.evaluate.interpreter import Call, Interpreter
from toolchain.scan.evaluate.values import (
    Ref,
    each,
)


def judge_mapping(it: Interpreter, path: str, request: Call) -> str | None:
    """What makes a map writable."""
    access = request.kwargs.get("access", request.kwargs.get("prot"))
    if access is not None:
        names = {option.path for option in each(access) if isinstance(option, Ref)}
        if names and names <= {"mmap.ACCESS_READ", "mmap.PROT_READ", "mmap.ACCESS_COPY"}:
            return None
    return "not read-only"
