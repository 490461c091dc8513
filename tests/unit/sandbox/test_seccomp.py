"""The profile that ships is the one that its source describes, and allows nothing that a breakout starts with."""

from __future__ import annotations

import json

import pytest

from sandbox.seccomp import profile_digest, profile_text
from sandbox.seccomp.profile import PROFILES
from tests.support.syscalls import TWINS
from toolchain.core.errors import EngineRefused

NEVER = """
    ptrace process_vm_readv process_vm_writev pidfd_getfd bpf perf_event_open userfaultfd io_uring_setup keyctl
    add_key request_key mount umount2 pivot_root move_mount fsopen open_tree setns unshare kexec_load init_module
    finit_module delete_module reboot swapon settimeofday clock_settime chroot setuid setgid setreuid setgroups
    capset mknod mknodat personality quotactl acct syslog iopl ioperm open_by_handle_at process_madvise
    setpriority sched_setscheduler prlimit64 socket socketpair clone clone3 ioctl
"""


@pytest.mark.parametrize("name", PROFILES)
def test_the_file_is_what_the_source_says(name):
    assert profile_text(name) == PROFILES[name].render()


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_everything_has_its_reason_and_stands_in_one_place(profile):
    assert len(profile.outright) == len(set(profile.outright))
    assert all(entry.reason for entry in (*profile.groups, *profile.conditions, *profile.answers))
    assert {call for one in profile.conditions for call in one.calls}.isdisjoint(profile.outright)
    assert profile.answered.keys().isdisjoint(profile.names)
    assert max(len(group.calls) for group in profile.groups) <= 12


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
def test_the_list_stays_short(profile):
    """Docker's default profile allows more than 300; a name more here needs one that can go."""
    assert len(profile.names) <= 150


def test_what_x86_64_may_do_aarch64_may_do_by_its_own_names():
    """tests/container/test_seccomp_names.py holds this table against libseccomp's."""
    names = set(PROFILES["cpu"].names)
    assert names >= TWINS.keys() | set(TWINS.values())


def test_only_the_two_native_calling_conventions_are_known():
    """Whatever else a call claims to be (i386's int 0x80, x32) is for libseccomp no call at all and ends the
    process; the probes try both."""
    listed = json.loads(profile_text("cpu"))["archMap"]
    assert [(entry["architecture"], entry["subArchitectures"]) for entry in listed] == [
        ("SCMP_ARCH_X86_64", []),
        ("SCMP_ARCH_AARCH64", []),
    ]


def test_what_is_not_named_is_refused():
    assert json.loads(profile_text("cpu"))["defaultAction"] == "SCMP_ACT_ERRNO"


@pytest.mark.parametrize("name", NEVER.split())
def test_a_dangerous_call_is_never_allowed_outright(name):
    rules = json.loads(profile_text("cpu"))["syscalls"]
    outright = [rule for rule in rules if rule["action"] == "SCMP_ACT_ALLOW" and not rule.get("args")]
    assert all(name not in rule["names"] for rule in outright)


def test_a_missing_profile_is_never_an_empty_one():
    with pytest.raises(EngineRefused, match="no-such-profile"):
        profile_text("no-such-profile")


def test_the_digest_is_the_texts():
    assert len(profile_digest("cpu")) == 64
