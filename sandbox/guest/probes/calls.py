"""System calls that breakouts begin with, or that change the machine for everybody."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from typing import Any

from sandbox.guest.numbers import NUMBERS
from sandbox.guest.probes.model import NO_SUCH_ABI, Probe, machine, raw

_USER, _NET, _PID, _MOUNT = 0x10000000, 0x40000000, 0x20000000, 0x00020000
_SIGCHLD = 17
MISTAKEN = "taken for the 64-bit call of that number"
_RECENT = 424  # from here on both architectures count alike
_BUFFER = bytes(256)
_TIOCSTI, _SET_FLAGS = 0x5412, 0x40086602

# (wall, call and what distinguishes it, arguments, why). Harmless where one got through: descriptors that are not
# open, empty buffers, names that do not exist.
_CALLS: tuple[tuple[str, str, tuple[Any, ...], str], ...] = (
    ("mounts", "mount", (b"none", b"/tmp", b"tmpfs", 0, 0), "covers or opens any path"),
    ("mounts", "umount2", (b"/proc", 0), "uncovers what the engine has masked"),
    ("mounts", "pivot_root", (b"/tmp", b"/tmp"), "leaves the container's root"),
    ("mounts", "chroot", (b"/tmp",), "the classic way past a root with an open folder"),
    ("mounts", "open_tree", (-100, b"/", 1), "clones mounts, the new way"),
    ("mounts", "move_mount", (-1, b"", -100, b"/tmp", 4), "the new way to mount"),
    ("mounts", "fsopen", (b"tmpfs", 0), "the new way to mount; a kernel bug lay here (CVE-2022-0185)"),
    ("mounts", "fsconfig", (-1, 0, 0, 0, 0), "options of the new way"),
    ("mounts", "fspick", (-100, b"/", 0), "reconfigures what is mounted"),
    ("mounts", "mount_setattr", (-100, b"/", 0, _BUFFER, 32), "would make the root writable"),
    ("mounts", "open_by_handle_at", (-100, _BUFFER, 0), "opens files by number, past every mount"),
    ("mounts", "quotactl", (0x800003, b"/", 0, _BUFFER), "quotas of the machine"),
    ("mounts", "swapon", (b"/tmp/swap", 0), "swaps the machine's memory to a file"),
    ("namespaces", "unshare-user", (_USER,), "root of a new user namespace reaches more of the kernel"),
    ("namespaces", "unshare-net", (_NET,), "a network of one's own to attack the kernel's from"),
    ("namespaces", "unshare-mount", (_MOUNT,), "mounts of one's own"),
    ("namespaces", "unshare-pid", (_PID,), "a process 1 of one's own, out of the supervisor's sight"),
    ("namespaces", "setns", (0, 0), "enters another container, or the machine"),
    ("namespaces", "clone-user", (_USER | _SIGCHLD, 0, 0, 0, 0), "as unshare, by its other door"),
    ("namespaces", "clone-net", (_NET | _SIGCHLD, 0, 0, 0, 0), "as unshare, by its other door"),
    ("memory of others", "ptrace", (16, 1, 0, 0), "steers another process"),
    ("memory of others", "process_vm_readv", (1, 0, 0, 0, 0, 0), "reads the supervisor's memory"),
    ("memory of others", "process_vm_writev", (1, 0, 0, 0, 0, 0), "writes the supervisor's memory"),
    ("memory of others", "process_madvise", (-1, 0, 0, 0, 0), "drops another's memory"),
    ("memory of others", "pidfd_getfd", (0, 1, 0), "takes the supervisor's line to the host"),
    ("memory of others", "kcmp", (1, 1, 0, 0, 0), "tells what two processes share"),
    ("kernel", "bpf", (0, _BUFFER, 128), "programs inside the kernel; many escapes began here"),
    ("kernel", "io_uring_setup", (8, _BUFFER), "does calls past every filter; many escapes began here"),
    ("kernel", "perf_event_open", (_BUFFER, 0, -1, -1, 0), "watches the machine, kernel included"),
    ("kernel", "userfaultfd", (0,), "holds the kernel mid-copy: the tool of its exploits"),
    ("kernel", "init_module", (_BUFFER, 16, b""), "code into the kernel"),
    ("kernel", "finit_module", (-1, b"", 0), "code into the kernel, from a file"),
    ("kernel", "delete_module", (b"none", 0x800), "takes code out of the kernel"),
    ("kernel", "kexec_load", (0, 0, 0, 0), "another kernel"),
    ("kernel", "kexec_file_load", (-1, -1, 0, b"", 0), "another kernel, from a file"),
    ("kernel", "syslog", (3, _BUFFER, 256), "the kernel's log, addresses in it"),
    ("kernel", "iopl", (3,), "ports of the hardware"),
    ("kernel", "ioperm", (0x80, 1, 1), "ports of the hardware"),
    ("kernel", "modify_ldt", (0, _BUFFER, 16), "segments; old kernel bugs, no modern use"),
    ("kernel", "personality", (0x0040000,), "switches address randomisation off"),
    ("kernel", "fanotify_init", (0, 0), "watches every file of a mount"),
    ("kernel", "vmsplice", (-1, 0, 0, 0), "pages into pipes (CVE-2022-0847 was one of this family)"),
    ("kernel", "splice", (-1, 0, -1, 0, 1, 0), "pages into pipes (CVE-2022-0847)"),
    ("kernel", "msgget", (0, 0o1600), "System V messages: the kernel memory that exploits shape"),
    ("kernel", "set_mempolicy", (0, 0, 0), "moves memory between nodes of the machine"),
    ("keys", "add_key", (b"user", b"k", b"v", 1, -4), "keyrings have no namespace: they are shared"),
    ("keys", "request_key", (b"user", b"k", 0, -4), "asks for keys of others"),
    ("keys", "keyctl", (0, -4, 0), "keyrings have no namespace: they are shared"),
    ("identity", "setuid", (0,), "root"),
    ("identity", "setgid", (0,), "root's group"),
    ("identity", "setresuid", (0, 0, 0), "root, by its other door"),
    ("identity", "setgroups", (0, 0), "drops or takes groups"),
    ("identity", "capset", (_BUFFER, _BUFFER), "capabilities"),
    ("machine", "settimeofday", (_BUFFER, 0), "the clock is the machine's: there is no namespace of it"),
    ("machine", "clock_settime", (0, _BUFFER), "the clock is the machine's"),
    ("machine", "adjtimex", (b"\1" + _BUFFER,), "the clock is the machine's"),
    ("machine", "reboot", (0, 0, 0, 0), "ends more than the plugin"),
    ("machine", "sethostname", (b"x", 1), "the name other programs go by"),
    ("machine", "setdomainname", (b"x", 1), "the name other programs go by"),
    ("machine", "acct", (0,), "accounting of every process on the machine"),
    ("machine", "mknodat", (-100, b"/tmp/disk", 0o060666, 0x801), "a disk, by its number"),
    ("machine", "setpriority", (0, 0, -5), "time that belongs to others"),
    ("machine", "sched_setscheduler", (0, 1, b"\x32\0\0\0"), "real-time priority stops a processor"),
    ("machine", "sched_setattr", (0, _BUFFER, 0), "deadlines that others must wait for"),
    ("machine", "ioprio_set", (1, 0, 0x2000), "disk time that belongs to others"),
    ("machine", "mlockall", (1,), "pins memory"),
    ("files of others", "fchownat", (-100, b"/tmp", 0, 0, 0), "gives files away, or takes them"),
    ("files of others", "setxattr", (b"/tmp", b"security.capability", _BUFFER, 20, 0), "file capabilities"),
    ("files of others", "ioctl-setflags", (0, _SET_FLAGS, b"\x10\0\0\0"), "files that nobody can delete"),
    ("terminal", "ioctl-tiocsti", (0, _TIOCSTI, b"x"), "types into whoever's terminal this is"),
)


def _call(name: str, arguments: tuple[Any, ...]) -> Callable[[], None]:
    def attempt() -> None:
        raw(NUMBERS[name][machine()], *arguments)

    return attempt


def _clone3() -> None:
    wanted = _USER.to_bytes(8, "little") + bytes(80)  # struct clone_args: flags first
    raw(NUMBERS["clone3"][machine()], wanted, len(wanted))


def _x32() -> str | None:
    if machine() != 0:
        return NO_SUCH_ABI
    raw(0x40000000 | 39)  # getpid
    return None


def _i386() -> str | None:
    """``int 0x80`` with getpid's number there, from a page that we fill ourselves."""
    if machine() != 0:
        return NO_SUCH_ABI
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(bytes.fromhex("b814000000cd80c3"))  # mov eax, 20; int 0x80; ret
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    pid = ctypes.CFUNCTYPE(ctypes.c_int)(address)()
    return None if pid > 0 else MISTAKEN


def _probe(wall: str, named: str, arguments: tuple[Any, ...], why: str) -> Probe:
    call = named.partition("-")[0]
    # Where an architecture lacks a call, the attempt says so itself. runc answers numbers above those that its
    # libseccomp knows as an older kernel would.
    number = NUMBERS[call][machine()]
    expected = ("EPERM",) if number is not None and number < _RECENT else ("EPERM", "ENOSYS")
    return Probe(
        id=f"{wall.replace(' ', '-')}.{named}",
        wall=wall,
        what=f"the system call {call}",
        expected=expected,
        why=why,
        attempt=_call(call, arguments),
    )


CALLS: tuple[Probe, ...] = (
    *(_probe(*row) for row in _CALLS),
    Probe("namespaces.clone3", "namespaces", "clone3, asking for a user namespace", ("ENOSYS",),
          "its flags lie in memory, where no filter looks; glibc then takes clone", _clone3),
    Probe("conventions.x32", "calling conventions", "a call by x32's numbers", ("SIGSYS", NO_SUCH_ABI),
          "x32 gives every call a second number that a filter may not know", _x32),
    Probe("conventions.i386", "calling conventions", "a call by int 0x80", ("SIGSYS", "SIGSEGV", NO_SUCH_ABI),
          "a 64-bit process may call as a 32-bit one, where numbers mean other calls", _i386),
)  # fmt: skip
