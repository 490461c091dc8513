"""Files: what tells secrets, what takes orders, what is not one's own, and the tricks to reach others."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from sandbox.guest.probes.model import EMPTY, Probe

_SCRATCH, _SHARED = Path("/tmp"), Path("/dev/shm")
_SECRET = ("EACCES", "EPERM", "ENOENT", EMPTY)
_READ_ONLY = ("EROFS", "EACCES", "EPERM", "ENOENT", "ENOTDIR")
_NOWHERE = ("ENOENT", "EACCES", "EPERM", "ENXIO")
_KERNELS_OWN = {"proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2"}
_RUNTIME = "/opt/mixpeek/runtime/sandbox/protocol.py"

_SECRETS = {
    "/proc/kcore": "the machine's whole memory",
    "/proc/keys": "which keys the kernel holds for whom",
    "/proc/timer_list": "what runs on the machine, kernel addresses with it",
    "/proc/sched_debug": "every process of the machine",
    "/proc/latency_stats": "where the machine's processes wait",
    "/proc/acpi": "hardware that takes orders",
    "/proc/scsi": "disks that take orders",
    "/proc/kmsg": "the kernel's log",
    "/proc/vmallocinfo": "kernel addresses",
    "/proc/slabinfo": "the kernel's memory, as exploits need to know it",
    "/proc/pagetypeinfo": "the kernel's memory, as exploits need to know it",
    "/sys/firmware": "tables of the firmware",
    "/sys/kernel/debug": "the kernel's insides",
    "/sys/kernel/tracing": "the kernel's insides",
    "/sys/kernel/security": "security modules' switches",
    "/sys/devices/virtual/powercap": "power meters that give keys away (PLATYPUS)",
    "/etc/shadow": "passwords, also of an image",
    "/root": "a home of somebody else",
    "/proc/1/mem": "the supervisor's memory",
    "/proc/1/environ": "the supervisor's environment",
    "/proc/1/maps": "where the supervisor's memory lies",
    "/proc/1/fd": "the supervisor's line to the host",
    "/proc/1/root": "the root that process 1 sees",
    "/proc/1/cwd": "the folder that process 1 is in",
    "/proc/1/stack": "what the kernel does for process 1",
}
_ORDERS = {
    "/proc/sysrq-trigger": "one letter stops the machine",
    "/proc/sys/kernel/core_pattern": "a program that the machine runs as root, outside, when something crashes",
    "/proc/sys/kernel/modprobe": "a program that the machine runs as root, outside",
    "/proc/sys/kernel/hostname": "the name other programs go by",
    "/proc/sys/kernel/yama/ptrace_scope": "who may steer whom",
    "/proc/sys/vm/drop_caches": "slows the whole machine",
    "/proc/sys/vm/overcommit_memory": "memory of the whole machine",
    "/proc/sys/fs/binfmt_misc/register": "programs that run in place of others",
    "/proc/sys/net/ipv4/ip_forward": "the network's rules",
    "/proc/irq/default_smp_affinity": "interrupts of the machine",
    "/proc/bus/pci/devices": "devices of the machine",
    "/proc/1/oom_score_adj": "who dies first when memory runs out: the supervisor must not",
    "/proc/1/uid_map": "users of a namespace",
    "/proc/1/clear_refs": "the supervisor's memory",
    "/proc/1/exe": "the program that process 1 runs; writing runc's was an escape (CVE-2019-5736)",
    "/sys/power/state": "puts the machine to sleep",
    "/sys/kernel/uevent_helper": "a program that the machine runs as root, outside",
    "/sys/kernel/mm/transparent_hugepage/enabled": "memory of the whole machine",
    "/sys/module/kernel/parameters/consoleblank": "parameters of the kernel",
    "/sys/fs/cgroup/release_agent": "a program that the machine runs as root, outside (CVE-2022-0492)",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes": "this container's own limits, cgroup version 1",
    "/sys/fs/cgroup/pids/pids.max": "this container's own limits, cgroup version 1",
    "/sys/fs/cgroup/memory.max": "this container's own limits, cgroup version 2",
    "/sys/fs/cgroup/cgroup.procs": "leaves the limits by moving out",
}
_DEVICES = {
    "/dev/mem": "the machine's memory",
    "/dev/kmsg": "the kernel's log",
    "/dev/fuse": "file systems of one's own making",
    "/dev/kvm": "virtual machines; a large part of the kernel",
    "/dev/net/tun": "network interfaces",
    "/dev/vda": "a disk",
    "/dev/sda": "a disk",
    "/dev/nvme0n1": "a disk",
    "/dev/loop-control": "disks out of files",
    "/dev/userfaultfd": "holds the kernel mid-copy",
    "/dev/vsock": "the hypervisor under a virtual machine",
}
_ROOT = {
    "/mixpeek-probe": "the root folder",
    "/etc/passwd": "the users",
    "/etc/ld.so.preload": "a library in every program that starts",
    _RUNTIME: "the code that judges the plugin",
    "/opt/mixpeek/python": "the interpreter",
    "/usr/bin/env": "a program of the system",
    "/dev/probe": "the folder of devices",
    "/var/tmp/probe": "a second temporary folder, in which programs could run",
    "/run/probe": "sockets and locks of services",
}


def _read(path: str) -> Callable[[], str | None]:
    def attempt() -> str | None:
        if Path(path).is_dir():
            return None if os.listdir(path) else EMPTY
        with open(path, "rb", buffering=0) as file:
            os.set_blocking(file.fileno(), False)
            return None if file.read(64) else EMPTY

    return attempt


def _append(path: str) -> Callable[[], None]:
    """Open for writing, write nothing: where the open succeeds the wall is down, and nothing is spoilt by it."""

    def attempt() -> None:
        os.close(os.open(path, os.O_WRONLY | os.O_APPEND))

    return attempt


def _create(path: str) -> Callable[[], None]:
    def attempt() -> None:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))

    return attempt


def _open_device(path: str) -> Callable[[], None]:
    def attempt() -> None:
        os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))

    return attempt


def _kernel_addresses() -> str | None:
    with open("/proc/kallsyms", encoding="ascii") as file:
        return EMPTY if file.readline()[:16].strip("0") == "" else None


def _map_users() -> None:
    Path("/proc/self/uid_map").write_text("0 65532 1\n")


def _cgroup_folder() -> None:
    folder = next(
        (path for path in (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")) if path.is_dir()), None
    )
    (folder or Path("/sys/fs/cgroup")).joinpath("probe").mkdir()


def _devices() -> None:
    """Nothing but what every container has, and NVIDIA's where a GPU was asked for."""
    usual = {
        "console", "core", "fd", "full", "mqueue", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin",
        "stdout", "tty", "urandom", "zero",
    }  # fmt: skip
    others = {name for name in os.listdir("/dev") if name not in usual and not name.startswith("nvidia")}
    assert not others, sorted(others)


def _mounts() -> None:
    """Whatever can be written to forbids programs, set-id bits and devices, except the kernel's own folders."""
    lax = []
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        place, options, kind = fields[4], set(fields[5].split(",")), fields[fields.index("-") + 1]
        # What is no folder covers a single file, such as /proc/keys.
        if "rw" not in options or kind in _KERNELS_OWN or not Path(place).is_dir():
            continue
        if "nosuid" not in options or not ("noexec" in options or place == "/dev"):
            lax.append(place)
    assert not lax, lax


def _root_options() -> None:
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[4] == "/":
            assert "ro" in fields[5].split(","), line


def _run_from(folder: Path) -> Callable[[], None]:
    def attempt() -> None:
        program = folder / "program"
        program.write_bytes(Path("/bin/true").read_bytes())
        program.chmod(0o755)
        subprocess.run([str(program)], check=True)

    return attempt


def _map_executable() -> None:
    import mmap

    path = _SCRATCH / "library"
    path.write_bytes(bytes(mmap.PAGESIZE))
    with path.open("r+b") as file:
        mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ | mmap.PROT_EXEC)


def _hard_link(target: str) -> Callable[[], None]:
    return lambda: os.link(target, _SCRATCH / "link")


def _through_link(target: str, flags: int) -> Callable[[], None]:
    def attempt() -> None:
        link = _SCRATCH / "symbolic"
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        os.close(os.open(link, flags))

    return attempt


def _set_user_id() -> None:
    """Programs with a set-id bit may lie in an image; what they are worth is ``privileges.no-new``."""
    path = _SCRATCH / "set-id"
    path.write_bytes(Path("/usr/bin/id").read_bytes())
    path.chmod(0o6755)
    subprocess.run([str(path)], check=True)


def _rename_over() -> None:
    (_SCRATCH / "mine.py").write_text("")
    os.rename(_SCRATCH / "mine.py", _RUNTIME)


FILES: tuple[Probe, ...] = (
    *(Probe(f"secrets{path.replace('/', '-')}", "secrets", f"reading {path}", _SECRET, why, _read(path))
      for path, why in _SECRETS.items()),
    Probe("secrets.kernel-addresses", "secrets", "addresses in /proc/kallsyms", _SECRET,
          "exploits of the kernel need to know where it lies", _kernel_addresses),
    *(Probe(f"orders{path.replace('/', '-')}", "orders to the kernel", f"opening {path} for writing", _READ_ONLY,
            why, _append(path)) for path, why in _ORDERS.items()),
    Probe("orders.users", "orders to the kernel", "writing /proc/self/uid_map", _READ_ONLY,
          "would call this user root", _map_users),
    Probe("orders.cgroup-folder", "orders to the kernel", "a control group of one's own", _READ_ONLY,
          "a group below this one could be given away or out of sight", _cgroup_folder),
    *(Probe(f"devices{path.replace('/', '-')}", "devices", f"opening {path}", _NOWHERE, why, _open_device(path))
      for path, why in _DEVICES.items()),
    Probe("devices.others", "devices", "what else lies in /dev", ("works",), "a device is a door into the kernel",
          _devices),
    *(Probe(f"root{path.replace('/', '-')}", "read-only root", f"making or opening {path} for writing", _READ_ONLY,
            why, _create(path)) for path, why in _ROOT.items()),
    Probe("root.options", "read-only root", "the options of the root's mount", ("works",),
          "read-only by the mount, not by owners and modes alone", _root_options),
    Probe("root.mounts", "read-only root", "the options of every other mount", ("works",),
          "whatever can be written to must not run", _mounts),
    Probe("root.rename", "read-only root", "moving a file over our own code", ("EXDEV", "EROFS", "EACCES"),
          "a rename needs no open", _rename_over),
    Probe("programs.scratch", "programs from writable places", "running a program from /tmp", ("EACCES", "EPERM"),
          "what a plugin downloads or unpacks must not become a program", _run_from(_SCRATCH)),
    Probe("programs.shared-memory", "programs from writable places", "running a program from /dev/shm",
          ("EACCES", "EPERM"), "the other place to write to", _run_from(_SHARED)),
    Probe("programs.library", "programs from writable places", "mapping a file of /tmp as code",
          ("EPERM", "EACCES"), "a native library that was written here", _map_executable),
    Probe("programs.set-id", "programs from writable places", "running a set-id program of one's own making",
          ("EACCES", "EPERM"), "root's powers for the asking", _set_user_id),
    Probe("links.hard-passwd", "links", "a hard link to /etc/passwd in /tmp", ("EXDEV", "EPERM", "EACCES"),
          "a name in a place of one's own", _hard_link("/etc/passwd")),
    Probe("links.hard-code", "links", "a hard link to our own code in /tmp", ("EXDEV", "EPERM", "EACCES"),
          "a name in a place of one's own", _hard_link(_RUNTIME)),
    Probe("links.root", "links", "a link through /proc/1/root", ("EACCES", "EPERM"),
          "process 1 may see more than we do", _through_link("/proc/1/root/etc/passwd", os.O_RDONLY)),
    Probe("links.write", "links", "writing through a link to our own code", ("EROFS", "EACCES"),
          "a link changes no rights", _through_link(_RUNTIME, os.O_WRONLY)),
    Probe("links.program", "links", "writing through a link to the running program",
          ("EROFS", "EACCES", "ETXTBSY"), "what runs here runs again (CVE-2019-5736)",
          _through_link("/proc/self/exe", os.O_WRONLY)),
)  # fmt: skip
