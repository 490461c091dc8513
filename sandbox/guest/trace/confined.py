"""Does the kernel hold a process as it should? Asked before any code of a plugin may run in it."""

from __future__ import annotations

import os
from pathlib import Path

_NAMESPACES = ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts")
_LISTENER = "anon_inode:seccomp notify"


def faults(process: int, filters: int) -> list[str]:
    """What of a process's threads is not as it must be; empty when all is well.

    Every thread must be under ``filters`` filters, hold no capability, be unable to gain one, and live in the
    namespaces of this process; the process may hold one listener, which it is about to close.
    """
    found = []
    for thread in sorted(Path(f"/proc/{process}/task").iterdir()):
        said = status(thread)
        wanted = {"Seccomp": "2", "Seccomp_filters": str(filters), "NoNewPrivs": "1", "CapEff": "0" * 16}
        wanted["CapPrm"] = wanted["CapEff"]
        found += [
            f"thread {thread.name}: {name} is {said.get(name)}, not {value}"
            for name, value in wanted.items()
            if said.get(name) != value
        ]
        found += [
            f"thread {thread.name} is in another {name} namespace"
            for name in _NAMESPACES
            if _link(thread / "ns" / name) != _link(Path("/proc/self/ns") / name)
        ]
    held = [_link(path) for path in Path(f"/proc/{process}/fd").iterdir()]
    if held.count(_LISTENER) != 1:
        found.append(f"the process holds {held.count(_LISTENER)} listeners")
    return found


def status(thread: Path) -> dict[str, str]:
    """The fields of a thread's status file (proc_pid_status(5))."""
    lines = (thread / "status").read_text(errors="replace").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def own_filters() -> int:
    """How many filters this process is under. Raises ``KeyError`` where the kernel does not tell (before 5.9)."""
    return int(status(Path("/proc/self"))["Seccomp_filters"])


def _link(path: Path) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - a text, not a path
    except OSError:
        return ""
