"""A filter program for seccomp(2) from rules: classic BPF over ``struct seccomp_data``.

One program serves both architectures and ends a process that speaks any other, 32-bit x86 and x32 included.
Sources: seccomp(2), Linux's include/uapi/linux/{seccomp,audit,bpf_common}.h.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_…
_X32_BIT = 0x40000000

_LOAD, _OR_X, _COPY_TO_X, _RETURN = 0x20, 0x4C, 0x07, 0x06
_JUMP, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_BITS = 0x05, 0x15, 0x35, 0x45
_AND = 0x54
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data


class Action(IntEnum):
    """What the kernel does with a call."""

    ALLOW = 0x7FFF0000
    NOTIFY = 0x7FC00000
    REFUSE = 0x00050001  # EPERM
    KILL = 0x80000000


@dataclass(frozen=True)
class Test:
    """A condition on one argument's low 32 bits: under ``mask`` they are ``value``, or with ``unequal`` are not.

    ``whole`` makes it "the whole argument is not zero", as for a pointer.
    """

    __test__ = False  # pytest collects classes called Test…

    argument: int
    value: int = 0
    mask: int = 0xFFFFFFFF
    unequal: bool = False
    whole: bool = False


@dataclass(frozen=True)
class Rule:
    """An action for a call when every test holds. The first rule that fits decides; without one it is allowed."""

    call: str
    action: Action = Action.NOTIFY
    tests: tuple[Test, ...] = ()


def assemble(rules: Sequence[Rule], numbers: dict[str, dict[str, int]]) -> bytes:
    """The program's instructions as the kernel takes them, eight bytes each.

    ``numbers`` maps an architecture to its calls' numbers; a rule on a call that it lacks is left out there.
    """
    program: list[bytes] = [_word(_LOAD, _ARCHITECTURE)]
    for architecture, code in ARCHITECTURES.items():
        block = _block(rules, numbers[architecture], x32=architecture == "x86_64")
        # Over the jump that skips the block; only that plain jump reaches farther than 255 instructions.
        program += [_word(_JUMP_EQUAL, code, 1, 0), _word(_JUMP, len(block)), *block]
    program.append(_word(_RETURN, Action.KILL))
    return b"".join(program)


def _block(rules: Sequence[Rule], numbers: dict[str, int], *, x32: bool) -> list[bytes]:
    block = [_word(_LOAD, _NUMBER)]
    if x32:
        block += [_word(_JUMP_AT_LEAST, _X32_BIT, 0, 1), _word(_RETURN, Action.KILL)]
    for rule in rules:
        if rule.call in numbers:
            body = _body(rule)
            block += [_word(_JUMP_EQUAL, numbers[rule.call], 0, len(body)), *body]
    return [*block, _word(_RETURN, Action.ALLOW)]


def _body(rule: Rule) -> list[bytes]:
    """What follows when the number fits: the tests, the action, and the number again for the next rule."""
    if not rule.tests:
        return [_word(_RETURN, rule.action)]
    body = [_word(_RETURN, rule.action)]
    for test in reversed(rule.tests):
        fails = len(body)  # to behind the action, where the number is loaded again
        low = _ARGUMENTS + 8 * test.argument
        if test.whole:
            loads = [_word(_LOAD, low), _word(_COPY_TO_X, 0), _word(_LOAD, low + 4), _word(_OR_X, 0)]
            body = [*loads, _word(_JUMP_EQUAL, 0, fails, 0), *body]
            continue
        jumps = (fails, 0) if test.unequal else (0, fails)
        body = [_word(_LOAD, low), _word(_AND, test.mask), _word(_JUMP_EQUAL, test.value, *jumps), *body]
    return [*body, _word(_LOAD, _NUMBER)]


def _word(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)
