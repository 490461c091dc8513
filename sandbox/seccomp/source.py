"""The one source of the seccomp profiles: ``python -m sandbox.seccomp.source`` writes them all.

An allowlist for CPython with numpy, pandas, pyarrow, torch and onnxruntime on glibc. Whatever is not named here
fails with EPERM. Only the native ABIs of x86_64 and aarch64 are listed: a 32-bit or x32 call is no known call of
either, and the filter ends the process. Syscall semantics: the man pages of section 2.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ALLOWED: dict[str, tuple[str, str]] = {
    "files": (
        "read and write what the mounts allow: a read-only root and a size-capped /tmp",
        "access chdir chmod close close_range copy_file_range dup dup2 dup3 faccessat faccessat2 fadvise64 "
        "fallocate fchdir fchmod fchmodat fcntl fdatasync flock fstat fstatfs fsync ftruncate getcwd "
        "getdents64 lseek lstat mkdir mkdirat newfstatat open openat pread64 preadv pwrite64 pwritev read "
        "readlink readlinkat readv rename renameat renameat2 rmdir sendfile stat statfs statx truncate umask "
        "unlink unlinkat utimensat write writev",
    ),
    "links": (
        "glibc's sem_open, behind multiprocessing's locks, links a file into place",
        "link linkat symlink symlinkat",
    ),
    "attributes": (
        "shutil copies extended attributes and takes EPERM for a failure of the copy",
        "fgetxattr flistxattr getxattr lgetxattr listxattr llistxattr",
    ),
    "memory": (
        "allocate and map; the cgroup bounds how much",
        "brk madvise memfd_create mincore mmap mprotect mremap msync munmap membarrier get_mempolicy",
    ),
    "processes": (
        "workers and subprocesses inside the container; the pids cgroup bounds how many",
        "execve exit exit_group getpgid getpgrp getpid getppid getsid gettid kill pidfd_open setpgid setsid "
        "tgkill vfork wait4 waitid",
    ),
    "identity": (
        "ask who one is; nothing here can change it",
        "getegid geteuid getgid getgroups getresgid getresuid getuid",
    ),
    "threads": (
        "thread start-up and scheduling queries of glibc, OpenMP and BLAS",
        "arch_prctl futex getcpu prctl rseq sched_get_priority_max sched_get_priority_min sched_getaffinity "
        "sched_getparam sched_getscheduler sched_setaffinity sched_yield set_robust_list set_tid_address",
    ),
    "limits": (
        "ask for limits and usage; raising a hard limit needs a capability, prlimit64 is below",
        "getpriority getrlimit getrusage setrlimit sysinfo times uname",
    ),
    "signals": (
        "handlers, masks and timers of one's own processes",
        "alarm getitimer pause restart_syscall rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn "
        "rt_sigsuspend rt_sigtimedwait setitimer sigaltstack",
    ),
    "time": (
        "read clocks and wait; setting one needs a capability and is not listed",
        "clock_getres clock_gettime clock_nanosleep gettimeofday nanosleep time timerfd_create timerfd_settime",
    ),
    "waiting": (
        "event loops and pipes",
        "epoll_create1 epoll_ctl epoll_pwait epoll_wait eventfd2 pipe pipe2 poll ppoll pselect6 select",
    ),
    "unix sockets": (
        "talk over sockets that exist: only AF_UNIX ones can be made, see below",
        "accept accept4 bind connect getpeername getsockname getsockopt listen recvfrom recvmsg sendmsg sendto "
        "setsockopt shutdown",
    ),
    "randomness": ("hash seeds, uuid and secrets", "getrandom"),
}
"""Group: (why it is allowed, syscall names)."""

GPU_ALLOWED: dict[str, tuple[str, str]] = {
    "pinned memory": (
        "page-locked buffers for copies to the device; RLIMIT_MEMLOCK and the cgroup bound how much",
        "mlock mlock2 munlock",
    ),
}
"""What a GPU adds. The driver's own work is done by open, mmap, poll and ioctl: see ``_GPU_IOCTLS``."""

_AF_UNIX = 1
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET together (sched.h).
_NAMESPACE_FLAGS = 0x7E020000
_ENOSYS = 38
# TCGETS, TIOCGPGRP, TIOCGWINSZ, FIONREAD, FIONBIO, FIONCLEX, FIOCLEX: isatty, terminal size, descriptor flags.
_IOCTLS = (0x5401, 0x540F, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)
# (mask, value) of requests. A filter sees the number and no device, so these reach every descriptor; of devices
# the container has NVIDIA's alone. Sources: open-gpu-kernel-modules, kernel-open/common/inc/nv-ioctl-numbers.h
# (magic 'F') and nvidia-uvm/uvm_linux_ioctl.h; gVisor's nvproxy/seccomp_filters.go lists what CUDA uses.
_GPU_IOCTLS = (
    (0xFF00, ord("F") << 8),  # /dev/nvidiactl and /dev/nvidia0…: resource manager; sizes vary with the driver
    (0xFFFFFF00, 0),  # /dev/nvidia-uvm: bare numbers below 256 (of the kernel's own: FIBMAP, privileged; FIGETBSZ)
    (0xFFFFFFFF, 0x30000001),  # UVM_INITIALIZE
    (0xFFFFFFFF, 0x30000002),  # UVM_DEINITIALIZE
)


def profile(*, gpu: bool = False) -> dict[str, Any]:
    """The CPU or the GPU profile in the format that Docker and podman read (moby's ``profiles/seccomp``)."""
    names = allowed_names(gpu=gpu)
    rules = [
        {"names": names, "action": "SCMP_ACT_ALLOW"},
        _when(["socket", "socketpair"], 0, _AF_UNIX, "SCMP_CMP_EQ"),
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": _NAMESPACE_FLAGS, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
        },
        # Only one's own limits: a process may set those of any other of its user, the supervisor's included.
        _when(["prlimit64"], 0, 0, "SCMP_CMP_EQ"),
        # Its flags lie in memory, where a filter cannot look; glibc falls back to clone on ENOSYS.
        {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": _ENOSYS},
        *(_when(["ioctl"], 1, request, "SCMP_CMP_EQ") for request in _IOCTLS),
        *(_masked(["ioctl"], 1, mask, value) for mask, value in (_GPU_IOCTLS if gpu else ())),
    ]
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": 1,
        "archMap": [
            {"architecture": "SCMP_ARCH_X86_64", "subArchitectures": []},
            {"architecture": "SCMP_ARCH_AARCH64", "subArchitectures": []},
        ],
        "syscalls": rules,
    }


def allowed_names(*, gpu: bool = False) -> list[str]:
    """The syscalls that are allowed whatever their arguments."""
    groups = [*ALLOWED.values(), *(GPU_ALLOWED.values() if gpu else ())]
    return sorted(name for _, listed in groups for name in listed.split())


def _masked(names: list[str], index: int, mask: int, value: int) -> dict[str, Any]:
    """Allowed when the bits of ``mask`` in an argument are ``value`` (seccomp_rule_add(3))."""
    return {
        "names": names,
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}],
    }


def _when(names: list[str], index: int, value: int, operator: str) -> dict[str, Any]:
    return {
        "names": names,
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": index, "value": value, "op": operator}],
    }


def render(*, gpu: bool = False) -> str:
    """The profile's file, byte for byte."""
    return json.dumps(profile(gpu=gpu), indent=2) + "\n"


def main() -> None:
    """Write the files beside this one and say how many names each allows."""
    for name, gpu in (("cpu", False), ("gpu", True)):
        target = Path(__file__).with_name(f"{name}.json")
        target.write_text(render(gpu=gpu), encoding="utf-8")
        sys.stdout.write(f"{target.name}: {len(allowed_names(gpu=gpu))} names allowed outright\n")


if __name__ == "__main__":
    main()
