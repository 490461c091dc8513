"""The names of the profiles are system calls where they are meant to be, by libseccomp's own tables.

runc has libseccomp turn a profile into a filter, and leaves a name that it does not know out in silence.
"""

from __future__ import annotations

import ctypes

import pytest

from sandbox.seccomp.profile import PROFILES
from tests.support.syscalls import TWINS

# seccomp.h of libseccomp: its tokens are the kernel's AUDIT_ARCH_ numbers (linux/audit.h).
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
UNKNOWN = -1  # __NR_SCMP_ERROR; a call that another architecture has is below that
RUNSC_ONLY = {"pselect"}  # runsc has a table of its own, in which x86_64's pselect6 goes by libc's name


@pytest.fixture(scope="module")
def number():
    """The number of a call on an architecture as libseccomp knows it: negative where it has none."""
    resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name_arch
    resolve.argtypes, resolve.restype = (ctypes.c_uint32, ctypes.c_char_p), ctypes.c_int
    return lambda architecture, name: resolve(ARCHITECTURES[architecture], name.encode())


def named(profile):
    """What libseccomp is given: gVisor's profile goes to runsc, which knows a name more."""
    return {*profile.names, *profile.answered} - (RUNSC_ONLY if profile is PROFILES["gvisor"] else set())


@pytest.mark.parametrize("name", PROFILES)
def test_every_name_is_a_call_somewhere(number, name):
    assert {call for call in named(PROFILES[name]) if number("x86_64", call) == UNKNOWN} == set()


@pytest.mark.parametrize("name", PROFILES)
def test_x86_64_has_every_call_and_aarch64_all_but_those_with_a_twin(number, name):
    missing = {
        architecture: {call for call in named(PROFILES[name]) if number(architecture, call) < 0}
        for architecture in ARCHITECTURES
    }
    assert missing == {"x86_64": set(), "aarch64": {*TWINS, "arch_prctl"}}


def test_every_twin_is_a_call_of_both(number):
    assert {twin for twin in TWINS.values() for one in ARCHITECTURES if number(one, twin) < 0} == set()


def test_an_invented_name_is_known_as_such(number):
    assert [number(one, "no_such_call") for one in ARCHITECTURES] == [UNKNOWN, UNKNOWN]
