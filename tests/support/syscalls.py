"""The system calls that x86_64 has and aarch64 has not, or has by another name."""

from __future__ import annotations

# What glibc calls on aarch64 where it calls the first on x86_64; arch_prctl has no counterpart there.
TWINS = {
    "access": "faccessat", "alarm": "setitimer", "chmod": "fchmodat", "dup2": "dup3", "epoll_wait": "epoll_pwait",
    "getpgrp": "getpgid", "link": "linkat", "lstat": "newfstatat", "mkdir": "mkdirat", "open": "openat",
    "pause": "ppoll", "pipe": "pipe2", "poll": "ppoll", "readlink": "readlinkat", "rename": "renameat",
    "rmdir": "unlinkat", "select": "pselect6", "stat": "newfstatat", "symlink": "symlinkat", "unlink": "unlinkat",
    "vfork": "clone",
}  # fmt: skip
