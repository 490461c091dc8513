"""The profile that ships is the one that its source describes, and allows nothing that a breakout starts with."""

from __future__ import annotations

import json

import pytest

from sandbox.seccomp import profile_digest, profile_text
from sandbox.seccomp.source import ALLOWED, render
from toolchain.core.errors import EngineRefused

NEVER = """
    ptrace process_vm_readv process_vm_writev pidfd_getfd bpf perf_event_open userfaultfd io_uring_setup keyctl
    add_key request_key mount umount2 pivot_root move_mount fsopen open_tree setns unshare kexec_load init_module
    finit_module delete_module reboot swapon settimeofday clock_settime chroot setuid setgid setreuid setgroups
    capset mknod mknodat personality quotactl acct syslog iopl ioperm open_by_handle_at process_madvise
    setpriority sched_setscheduler prlimit64 socket socketpair clone clone3 ioctl
"""


def test_the_file_is_what_the_source_says():
    assert profile_text("cpu") == render()


def test_every_group_has_its_reason():
    assert all(len(reason) > 20 for reason, _ in ALLOWED.values())


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
