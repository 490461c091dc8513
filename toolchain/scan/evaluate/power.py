"""Which values carry power: a module that opens doors, something policy names, or what holds one."""

from __future__ import annotations

from toolchain.scan.evaluate.interpreter import Interpreter
from toolchain.scan.evaluate.values import (
    A_TYPE,
    Const,
    Dunder,
    Getter,
    Instance,
    Map,
    Namespace,
    OwnModule,
    Partial,
    Ref,
    Seq,
    Unknown,
    Value,
    each,
)

_DOORS = frozenset({OwnModule, Partial, Getter, Dunder, Namespace})
_HOLDING = frozenset({Instance, Map, Seq})
POWERLESS = frozenset({Const, Unknown})
_LOOKING_UP = frozenset({"builtins.getattr", "builtins.vars", "builtins.__import__"})


def powerful(it: Interpreter, value: Value, depth: int = 2) -> bool:
    """Whether a value is, or holds, a module that opens doors or something policy names."""
    for option in each(value):
        kind = type(option)
        if kind in POWERLESS:
            continue
        if kind is Ref:
            path = option.path  # type: ignore[attr-defined]  # narrowed by kind, for speed
            if (
                path.endswith("()")
                or path in it.policy.carried
                or it.policy.match(path) is not None
                or path in _LOOKING_UP
            ):
                return True
        elif kind in _DOORS or (isinstance(option, Map) and option.rest is A_TYPE):
            return True
        elif depth and kind in _HOLDING:
            for part in _parts(option):
                if type(part) not in POWERLESS and powerful(it, part, depth - 1):
                    return True
    return False


def _parts(value: Value) -> list[Value]:
    """The first of what a container or an object holds."""
    if isinstance(value, Instance):
        return list(value.attributes.values())
    if isinstance(value, Map):
        return [*value.spread, *list(value.items.values())[:12]]
    return value.items[:12] if isinstance(value, Seq) else []
