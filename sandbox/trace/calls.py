"""The system calls that the inner filter reports, and what an attempt of each means."""

from __future__ import annotations

REFUSED: dict[str, tuple[str, str]] = {
    "other processes": (
        "reads, steers or takes descriptors from processes that are not its own business",
        "ptrace process_vm_readv process_vm_writev pidfd_getfd",
    ),
    "mounts": (
        "changes what lies where in the file system; what a breakout from a container begins with",
        "mount umount2 pivot_root chroot move_mount fsopen open_tree",
    ),
    "namespaces": (
        "makes or enters namespaces, in which a process has powers that it lacks here",
        "unshare setns",
    ),
    "kernel": (
        "loads code into the kernel, or reaches its parts that most breakouts used",
        "bpf perf_event_open userfaultfd io_uring_setup init_module finit_module delete_module kexec_load "
        "kexec_file_load reboot",
    ),
    "keys": ("reads or adds keys of the kernel's keyrings", "add_key request_key keyctl"),
    "identity": (
        "becomes another user or takes capabilities",
        "setuid setgid setreuid setregid setresuid setresgid setgroups capset",
    ),
    "clock": ("sets the machine's clock", "settimeofday clock_settime"),
    "handles": ("opens files by number, past every mount", "open_by_handle_at"),
    "execution": ("runs a file by descriptor, from memory for instance", "execveat"),
    "filters": ("installs a system call filter of its own over the one that reports", "seccomp"),
}
"""Group: (what a call of it means, syscall names). The engine's profile passes these on, the inner filter refuses
every one, whatever its arguments."""

PASSED_ON_BY_ARGUMENT = ("socket", "clone")
"""Calls that the engine's profile otherwise allows for some arguments only, passed on whatever theirs are."""


def refused_names() -> list[str]:
    """Every call of ``REFUSED``."""
    return sorted(name for _, listed in REFUSED.values() for name in listed.split())
