"""The inner filter's program, run by a small machine for classic BPF, on both architectures."""

from __future__ import annotations

import re
import struct
from pathlib import Path

import pytest

from sandbox.guest.numbers import NUMBERS
from sandbox.seccomp import profile_text
from sandbox.trace.bpf import ARCHITECTURES, Action, Rule, Test, assemble
from sandbox.trace.calls import REFUSED, refused_names
from sandbox.trace.inner import InnerFilter

X86, ARM = ARCHITECTURES.values()


def run(program: bytes, number: int, arguments: tuple[int, ...] = (), architecture: int = X86) -> int:
    """What a program answers to a call, by the semantics of seccomp(2) and the kernel's filter.rst."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, *arguments, *(0 for _ in range(6 - len(arguments))))
    words = [struct.unpack_from("=HBBI", program, at) for at in range(0, len(program), 8)]
    accumulator = index = at = 0
    while True:
        code, yes, no, value = words[at]
        at += 1
        if code == 0x20:
            (accumulator,) = struct.unpack_from("=I", data, value)
        elif code == 0x07:
            index = accumulator
        elif code == 0x4C:
            accumulator |= index
        elif code == 0x54:
            accumulator &= value
        elif code == 0x05:
            at += value
        elif code == 0x15:
            at += yes if accumulator == value else no
        elif code == 0x35:
            at += yes if accumulator >= value else no
        elif code == 0x06:
            return value
        else:
            raise AssertionError(f"no such instruction: {code:#x}")


def answers(plan: InnerFilter, name: str, *arguments: int) -> Action:
    """The action for a call, which must be the same on both architectures."""
    numbers = {"x86_64": {}, "aarch64": {}}
    for call, (x86, arm) in NUMBERS.items():
        numbers["x86_64"][call] = x86
        if arm is not None:
            numbers["aarch64"][call] = arm
    known = {arch: {n: v for n, v in found.items() if v is not None} for arch, found in numbers.items()}
    program = assemble(plan.rules(), known)
    found = {
        run(program, known[arch][name], arguments, code)
        for arch, code in ARCHITECTURES.items()
        if name in known[arch]
    }
    assert len(found) == 1, found
    return Action(found.pop())


@pytest.mark.parametrize("name", refused_names())
def test_every_call_that_the_engine_s_profile_passes_on_is_taken_up(name):
    assert answers(InnerFilter(), name) is Action.NOTIFY


@pytest.mark.parametrize(
    ("name", "arguments", "action"),
    [
        ("socket", (1, 1), Action.ALLOW),
        ("socket", (2, 1), Action.NOTIFY),
        ("socket", (10, 2), Action.NOTIFY),
        ("socket", (40, 1), Action.NOTIFY),
        ("socket", (1 << 32 | 1, 1), Action.ALLOW),  # the kernel looks at an int
        ("clone", (0x1200011,), Action.ALLOW),
        ("clone", (0x3D0F00,), Action.ALLOW),  # a thread
        *(("clone", (1 << bit | 17,), Action.NOTIFY) for bit in (17, 25, 26, 27, 28, 29, 30)),
        ("connect", (3,), Action.NOTIFY),
        ("sendto", (3, 9, 1, 0, 0, 0), Action.ALLOW),
        ("sendto", (3, 9, 1, 0, 0x7FFF0000_0000, 16), Action.NOTIFY),  # only the high word is set
        ("sendto", (3, 9, 1, 0, 16, 16), Action.NOTIFY),
        ("sendto", (3, 9, 1, 0x4000, 0, 0), Action.NOTIFY),
        ("setsockopt", (3, 1, 2), Action.ALLOW),
        ("setsockopt", (3, 6, 1), Action.NOTIFY),
        ("execve", (1, 2, 3), Action.NOTIFY),
        ("prctl", (4, 0), Action.NOTIFY),
        ("prctl", (4, 1), Action.ALLOW),
        ("prctl", (22, 2), Action.NOTIFY),
        ("prctl", (15, 0), Action.ALLOW),
        ("ioctl", (5, 0xC0502100), Action.REFUSE),
        ("ioctl", (5, 0x40182103), Action.REFUSE),
        ("ioctl", (5, 0x5401), Action.ALLOW),
        ("openat", (0,), Action.ALLOW),
        ("mmap", (0, 4096, 5), Action.ALLOW),
    ],
)
def test_the_filter_of_every_run(name, arguments, action):
    assert answers(InnerFilter(), name, *arguments) is action


@pytest.mark.parametrize(
    ("name", "arguments", "action"),
    [
        ("openat", (0,), Action.NOTIFY),
        ("open", (0,), Action.NOTIFY),
        ("mmap", (0, 4096, 5), Action.NOTIFY),
        ("mmap", (0, 4096, 3), Action.ALLOW),
        ("mprotect", (0, 4096, 7), Action.NOTIFY),
        ("mprotect", (0, 4096, 1), Action.ALLOW),
        ("clone", (1 << 28,), Action.NOTIFY),
    ],
)
def test_the_filter_that_looks_closely(name, arguments, action):
    assert answers(InnerFilter(closely=True), name, *arguments) is action


def test_foreign_calls_end_the_process():
    program = assemble([Rule("read")], {"x86_64": {"read": 0}, "aarch64": {"read": 63}})
    assert run(program, 0x40000000, architecture=X86) == Action.KILL  # x32
    assert run(program, 4, architecture=0x40000003) == Action.KILL  # i386
    assert run(program, 4, architecture=0x40000028) == Action.KILL  # arm
    assert run(program, 63, architecture=ARM) == Action.NOTIFY
    assert run(program, 63, architecture=X86) == Action.ALLOW


def test_every_test_of_a_rule_must_hold_and_the_next_rule_sees_the_number_again():
    rules = [
        Rule("a", Action.REFUSE, (Test(0, 1), Test(1, 2))),
        Rule("a", tests=(Test(2, whole=True),)),
        Rule("b"),
    ]
    program = assemble(rules, {"x86_64": {"a": 7, "b": 8}, "aarch64": {}})
    assert run(program, 7, (1, 2)) == Action.REFUSE
    assert run(program, 7, (1, 3)) == Action.ALLOW
    assert run(program, 7, (0, 2, 1 << 40)) == Action.NOTIFY
    assert run(program, 8, (1, 2)) == Action.NOTIFY


def test_no_jump_is_longer_than_its_field():
    assert (
        len(assemble(InnerFilter(closely=True).rules(), InnerFilter(closely=True).to_json()["numbers"])) < 4096 * 8
    )


@pytest.mark.parametrize("base", ["cpu", "gpu"])
def test_what_the_watched_profile_passes_on_is_what_the_inner_filter_takes_up(base):
    """A call that the one lets pass and the other does not name would be open to the plugin."""
    import json

    def rules(name: str) -> set[str]:
        found = json.loads(profile_text(name))["syscalls"]
        return {json.dumps([call, rule.get("args"), rule["action"]]) for rule in found for call in rule["names"]}

    added = rules(f"{base}-watched") - rules(base)
    opened = {call for call, arguments, _ in map(json.loads, added) if arguments is None}
    taken_up = {rule.call for rule in InnerFilter().rules() if rule.action is Action.NOTIFY}
    assert opened <= taken_up
    assert {call for call, arguments, _ in map(json.loads, added) if arguments is not None} <= {"ioctl"}
    assert opened == {*refused_names(), "socket", "clone", "sendmmsg"} - _outright(base)


def _outright(base: str) -> set[str]:
    import json

    found = json.loads(profile_text(base))["syscalls"]
    return {
        call
        for rule in found
        if not rule.get("args") and rule["action"].endswith("ALLOW")
        for call in rule["names"]
    }


def test_every_group_has_its_meaning():
    assert all(len(reason) > 20 for reason, _ in REFUSED.values())


def test_the_filter_s_digest_tells_its_variants_apart():
    variants = [InnerFilter(closely, programs) for closely in (False, True) for programs in (False, True)]
    assert len({variant.digest for variant in variants}) == 4


@pytest.mark.parametrize(
    ("header", "position"),
    [("/usr/include/x86_64-linux-gnu/asm/unistd_64.h", 0), ("/usr/include/asm-generic/unistd.h", 1)],
)
def test_the_numbers_are_the_kernel_s(header, position):
    """Held against the headers of libc's development package, which a compiler brings with it."""
    text = Path(header).read_text()
    known = {name: int(number) for name, number in re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)", text)}
    for name, numbers in NUMBERS.items():
        assert known.get(name) == numbers[position], name
