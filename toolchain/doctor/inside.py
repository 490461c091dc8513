"""Runs inside a probe container: tries what a plugin must not be able to do, and prints what came of it as JSON.

Self-contained on purpose: the host hands this file's text to the container's interpreter.
"""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_SPIN_SECONDS = 0.3
_FORKS_TRIED = 64
_WRITE_TRIED = 8 << 20


def process_status() -> dict[str, str]:
    """The kernel's word on this process: filters, privileges, capabilities, user."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    pairs = dict(line.split(":", 1) for line in lines if ":" in line)
    return {key: pairs.get(key, "").strip() for key in ("NoNewPrivs", "Seccomp", "CapEff", "CapBnd", "Uid")}


def interfaces() -> list[str]:
    """The network interfaces of this namespace; two heading lines precede them."""
    lines = Path("/proc/net/dev").read_text(encoding="ascii").splitlines()[2:]
    return [line.partition(":")[0].strip() for line in lines]


def internet_socket() -> str:
    """A socket that our own profile denies by its argument and the engines' default profiles allow."""
    return _outcome(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM).close())


def unix_socket() -> str:
    """A socket that must keep working: without it a refusal of the other would prove nothing."""

    def make() -> None:
        for end in socket.socketpair():
            end.close()

    return _outcome(make)


def root_write() -> str:
    """A file in the root folder."""
    return _outcome(lambda: Path("/mixpeek-probe").write_bytes(b""))


def root_mount() -> list[str]:
    """The mount options of the root file system (proc_pid_mountinfo(5), field 6)."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        if fields[4] == "/":
            return fields[5].split(",")
    return []


def scratch() -> dict[str, Any]:
    """Bytes that the scratch folder takes before it is full."""
    written = 0
    path = Path("/tmp/probe")  # noqa: S108 - this container's own
    try:
        with path.open("wb", buffering=0) as file:
            while written < _WRITE_TRIED:
                written += file.write(bytes(1 << 16))
    except OSError as reason:
        return {"written": written, "error": _name(reason)}
    finally:
        path.unlink(missing_ok=True)
    return {"written": written, "error": None}


def forks() -> dict[str, Any]:
    """Processes that can be made before the kernel refuses; they wait on a pipe and leave when it closes."""
    reading, writing = os.pipe()
    children: list[int] = []
    refusal = None
    try:
        for _ in range(_FORKS_TRIED):
            child = os.fork()
            if child == 0:
                os.close(writing)
                os.read(reading, 1)
                os._exit(0)
            children.append(child)
    except OSError as reason:
        refusal = _name(reason)
    os.close(writing)
    for child in children:
        os.waitpid(child, 0)
    os.close(reading)
    return {"made": len(children), "error": refusal}


def processor() -> dict[str, Any]:
    """Processor seconds that a busy loop gets in a second, and how often the quota held it back meanwhile.

    The share alone proves nothing on a busy machine; ``throttled`` is ``None`` where the cgroup is not in view.
    """
    before, began, used = _throttled(), time.monotonic(), time.process_time()
    while time.monotonic() - began < _SPIN_SECONDS:
        pass
    share = (time.process_time() - used) / (time.monotonic() - began)
    after = _throttled()
    return {"share": share, "throttled": None if before is None or after is None else after - before}


def _throttled() -> int | None:
    """``nr_throttled`` of this cgroup, version 2 or 1."""
    for name in ("cpu.stat", "cpu/cpu.stat", "cpu,cpuacct/cpu.stat"):
        path = Path("/sys/fs/cgroup") / name
        if path.exists():
            pairs = (line.split() for line in path.read_text(encoding="ascii").splitlines())
            return next((int(value) for key, value in pairs if key == "nr_throttled"), None)
    return None


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as reason:
        return _name(reason)
    return "done"


def _name(reason: OSError) -> str:
    return errno.errorcode.get(reason.errno or 0, str(reason))


PROBES: tuple[Callable[[], Any], ...] = (
    process_status,
    interfaces,
    internet_socket,
    unix_socket,
    root_write,
    root_mount,
    scratch,
    forks,
    processor,
)


def main() -> None:
    """Print one JSON object: each probe's value, or ``{"failed": reason}``."""
    report: dict[str, Any] = {}
    for probe in PROBES:
        try:
            report[probe.__name__] = probe()
        except Exception as reason:  # noqa: BLE001 - the host decides what a probe that breaks means
            report[probe.__name__] = {"failed": repr(reason)}
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
