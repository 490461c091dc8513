"""The one source of the seccomp profiles, with a reason for everything that is allowed. Data only.

An allowlist for CPython with numpy, pandas, pyarrow, torch and onnxruntime on glibc. Whatever is not named here
fails with EPERM. Only the native ABIs of x86_64 and aarch64 are listed: a 32-bit or x32 call is no known call of
either, and the filter ends the process. Syscall semantics: the man pages of section 2. A name that one of the two
architectures lacks (aarch64 has no ``open``, x86_64 glibc still calls it) stands beside the one it goes by there.

This is what a plugin may call. Where the guest installs a filter of its own, the engine's passes on more, which
that one refuses and reports: see ``sandbox.trace``.
"""

from __future__ import annotations

from dataclasses import dataclass
from errno import ENOSYS, ENOTSUP
from typing import Literal


@dataclass(frozen=True)
class Group:
    """Calls that are allowed whatever their arguments, for one reason."""

    name: str
    reason: str
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Condition:
    """Calls that are allowed when one argument, the first being 0, is right.

    ``equals``: it is ``value``. ``masked``: its bits in ``mask`` are ``value`` (seccomp_rule_add(3)).
    """

    calls: tuple[str, ...]
    reason: str
    argument: int
    operator: Literal["equals", "masked"]
    value: int
    mask: int = 0


@dataclass(frozen=True)
class Answer:
    """Calls that are refused with another error than EPERM, because callers then know what to do instead."""

    calls: tuple[str, ...]
    reason: str
    errno: int


def _group(name: str, reason: str, calls: str) -> Group:
    return Group(name, reason, tuple(calls.split()))


GROUPS: tuple[Group, ...] = (
    _group(
        "open files", "the mounts decide which: a read-only root, a capped /tmp", "open openat close close_range"
    ),
    _group(
        "read and write", "on descriptors that are open", "read readv pread64 write writev pwrite64 lseek sendfile"
    ),
    _group(
        "file facts",
        "every import and every open asks; nothing is changed",
        "access faccessat faccessat2 stat lstat fstat newfstatat statx statfs fstatfs",
    ),
    _group("folders and links", "list the one, read the other", "getdents64 readlink readlinkat"),
    _group(
        "change files",
        "in /tmp and /dev/shm, the only places that are writable",
        "mkdir mkdirat rmdir rename renameat renameat2 unlink unlinkat utimensat umask",
    ),
    _group(
        "modes of files",
        "tempfile and shutil set them; nosuid mounts make set-id bits idle",
        "chmod fchmod fchmodat",
    ),
    _group(
        "size and durability",
        "shared memory is sized by ftruncate and fallocate, sqlite syncs; the mounts' caps bound both",
        "ftruncate fallocate fadvise64 fsync fdatasync",
    ),
    _group("locks on files", "sqlite and caches lock what they write", "flock"),
    _group("current folder", "the stage works in the plugin's folder", "chdir fchdir getcwd"),
    _group("descriptors", "copies and flags of one's own descriptors", "dup dup2 dup3 fcntl"),
    _group(
        "make links",
        "glibc's sem_open, behind multiprocessing's locks, links a file into place; model caches hold symlinks",
        "link linkat symlink symlinkat",
    ),
    _group(
        "memory",
        "allocate, map and protect; the cgroup bounds how much",
        "brk mmap munmap mremap mprotect madvise msync",
    ),
    _group(
        "anonymous files",
        "the guest hands a sealed sample to each stage in one; what runs from it stays under this filter",
        "memfd_create",
    ),
    _group("end", "leave", "exit exit_group"),
    _group(
        "start programs",
        "subprocesses inside the container, under the same filter; the strict level's inner filter refuses execve",
        "execve vfork",
    ),
    _group(
        "children",
        "wait for them and signal them; the PID namespace holds nothing else; a handle on one gives no more",
        "wait4 waitid kill tgkill pidfd_open",
    ),
    _group(
        "sessions",
        "a stage leads a session of its own, so that it can be ended whole",
        "setsid setpgid getpgid getpgrp",
    ),
    _group("process ids", "ask who one is", "getpid getppid gettid"),
    _group(
        "user ids", "ask who one is; no call that changes it is listed", "getuid geteuid getgid getegid getgroups"
    ),
    _group("threads", "start-up of every glibc thread", "set_robust_list set_tid_address rseq futex"),
    _group(
        "thread registers", "x86_64 sets the thread pointer by it, at the start of every program", "arch_prctl"
    ),
    _group(
        "process attributes",
        "names of threads, death signals, dumpability; also how a filter is put on top of this one",
        "prctl",
    ),
    _group(
        "scheduling",
        "BLAS, OpenMP and thread pools ask for processors and yield; pinning oneself takes nothing from others",
        "sched_getaffinity sched_setaffinity sched_yield getcpu",
    ),
    _group(
        "scheduling classes",
        "thread pools ask for the range of priorities; none is changed",
        "sched_get_priority_max sched_get_priority_min",
    ),
    _group(
        "usage",
        "measure oneself; totals of the machine that /proc/meminfo shows too",
        "getrusage sysinfo times uname",
    ),
    _group(
        "signals",
        "handlers and masks of one's own threads",
        "rt_sigaction rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait sigaltstack",
    ),
    _group("signal timers", "time limits of tests and libraries", "alarm setitimer pause restart_syscall"),
    _group(
        "clocks",
        "read them where the vDSO cannot, and wait; no call that sets one is listed",
        "clock_gettime clock_getres gettimeofday clock_nanosleep nanosleep",
    ),
    _group("waiting", "wait for descriptors", "poll ppoll select pselect6"),
    _group(
        "event loops", "asyncio's selector and wake-ups", "epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd2"
    ),
    _group("pipes", "between one's own processes", "pipe pipe2"),
    _group(
        "unix sockets",
        "talk over sockets that exist; which kinds can be made stands in the conditions",
        "accept accept4 bind connect listen getpeername getsockname getsockopt setsockopt shutdown",
    ),
    _group(
        "socket messages",
        "multiprocessing and the guest pass descriptors in them",
        "recvfrom recvmsg sendto sendmsg",
    ),
    _group("randomness", "hash seeds, uuid and secrets", "getrandom"),
)

GPU_GROUPS: tuple[Group, ...] = (
    _group(
        "pinned memory",
        "page-locked buffers for copies to the device; RLIMIT_MEMLOCK and the cgroup bound how much",
        "mlock mlock2 munlock",
    ),
)
"""What a GPU adds. The driver's own work is done by open, mmap, poll and ioctl: see ``GPU_CONDITIONS``."""

GVISOR_GROUPS: tuple[Group, ...] = (
    _group(
        "left to gVisor",
        "runsc turns every refusal into EPERM, which glibc and shutil do not expect of these; its kernel answers",
        "clone3 listxattr llistxattr",
    ),
    _group("waiting, in gVisor's words", "runsc knows pselect6 by the name that libc has for it", "pselect"),
)
"""What gVisor's profile passes on; such a call reaches the kernel that gVisor is, never this machine's."""

_AF_UNIX = 1
# CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET together (sched.h).
NAMESPACE_FLAGS = 0x7E020000
_IOCTLS = (
    (0x5401, "TCGETS: isatty"),
    (0x540F, "TIOCGPGRP: whose terminal it is"),
    (0x5413, "TIOCGWINSZ: size of the terminal"),
    (0x541B, "FIONREAD: bytes that wait"),
    (0x5421, "FIONBIO: do not block"),
    (0x5450, "FIONCLEX: keep across exec"),
    (0x5451, "FIOCLEX: close on exec"),
)

CONDITIONS: tuple[Condition, ...] = (
    Condition(
        ("socket", "socketpair"),
        "AF_UNIX alone: asyncio, multiprocessing; every other family is refused by its number",
        0, "equals", _AF_UNIX,
    ),
    Condition(
        ("clone",),
        "processes and threads, none of the seven flags for new namespaces",
        0, "masked", 0, NAMESPACE_FLAGS,
    ),
    Condition(
        ("prlimit64",),
        "one's own limits: a process may set those of any other of its user, the supervisor's included",
        0, "equals", 0,
    ),
    *(Condition(("ioctl",), reason, 1, "equals", request) for request, reason in _IOCTLS),
)  # fmt: skip

# A filter sees the number and no device, so these reach every descriptor; of devices the container has NVIDIA's
# alone. Sources: open-gpu-kernel-modules, kernel-open/common/inc/nv-ioctl-numbers.h (magic 'F') and
# nvidia-uvm/uvm_linux_ioctl.h; gVisor's nvproxy/seccomp_filters.go lists what CUDA uses.
GPU_CONDITIONS: tuple[Condition, ...] = tuple(
    Condition(("ioctl",), reason, 1, "masked", value, mask)
    for mask, value, reason in (
        (0xFF00, ord("F") << 8, "/dev/nvidiactl, /dev/nvidia0…: resource manager; sizes vary with the driver"),
        (
            0xFFFFFF00,
            0,
            "/dev/nvidia-uvm: bare numbers below 256 (of the kernel's own: FIBMAP, privileged; FIGETBSZ)",
        ),
        (0xFFFFFFFF, 0x30000001, "UVM_INITIALIZE"),
        (0xFFFFFFFF, 0x30000002, "UVM_DEINITIALIZE"),
    )
)

ANSWERS: tuple[Answer, ...] = (
    Answer(("clone3",), "its flags lie in memory, where a filter cannot look: glibc falls back to clone", ENOSYS),
    Answer(
        ("getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr"),
        "shutil.copy2 goes on without extended attributes where there are none, and fails on EPERM",
        ENOTSUP,
    ),
    Answer(
        ("membarrier", "get_mempolicy", "mincore", "copy_file_range", "timerfd_create"),
        "libraries that try them do without on a kernel that lacks them",
        ENOSYS,
    ),
)  # fmt: skip
