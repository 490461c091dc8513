"""The system calls that the inner filter reports, with their numbers on both architectures.

Numbers: Linux's arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h; ``None`` where an
architecture lacks the call. A test holds them against the kernel's headers.
"""

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

NUMBERS: dict[str, tuple[int | None, int | None]] = {
    "add_key": (248, 217),
    "bind": (49, 200),
    "bpf": (321, 280),
    "capset": (126, 91),
    "chroot": (161, 51),
    "clock_nanosleep": (230, 115),
    "clock_settime": (227, 112),
    "clone": (56, 220),
    "connect": (42, 203),
    "delete_module": (176, 106),
    "execve": (59, 221),
    "execveat": (322, 281),
    "finit_module": (313, 273),
    "fsopen": (430, 430),
    "init_module": (175, 105),
    "io_uring_setup": (425, 425),
    "ioctl": (16, 29),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "kill": (62, 129),
    "memfd_create": (319, 279),
    "mmap": (9, 222),
    "mount": (165, 40),
    "move_mount": (429, 429),
    "mprotect": (10, 226),
    "nanosleep": (35, 101),
    "open": (2, None),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "openat": (257, 56),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "prctl": (157, 167),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "seccomp": (317, 277),
    "sendmmsg": (307, 269),
    "sendmsg": (46, 211),
    "sendto": (44, 206),
    "setgid": (106, 144),
    "setgroups": (116, 159),
    "setns": (308, 268),
    "setregid": (114, 143),
    "setresgid": (119, 149),
    "setresuid": (117, 147),
    "setreuid": (113, 145),
    "setsockopt": (54, 208),
    "settimeofday": (164, 170),
    "setuid": (105, 146),
    "socket": (41, 198),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}


def refused_names() -> list[str]:
    """Every call of ``REFUSED``."""
    return sorted(name for _, listed in REFUSED.values() for name in listed.split())
