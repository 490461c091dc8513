"""Labels that say whose a container is, and the removal of what a crashed run left behind."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from pathlib import Path

from toolchain.core.containers import ContainerEngine, engine_errors
from toolchain.core.errors import MixpeekError

KIND = "com.mixpeek.kind"
OWNER_HOST = "com.mixpeek.owner.host"
OWNER_PROCESS = "com.mixpeek.owner.process"
SANDBOX = "sandbox"


def ownership() -> dict[str, str]:
    """Labels by which a later run can tell whether the process that made a container still lives."""
    return {KIND: SANDBOX, OWNER_HOST: _host(), OWNER_PROCESS: _identity(os.getpid()) or str(os.getpid())}


def remove_leftovers(engine: ContainerEngine) -> list[str]:
    """Remove the sandboxes of this machine whose makers are gone; the ids of those removed.

    Raises ``EngineUnavailable``. A container that somebody else removes first is no error.
    """
    with engine_errors("list earlier sandboxes"):
        found = engine.client.api.containers(all=True, filters={"label": f"{KIND}={SANDBOX}"})
    removed = []
    for container in found:
        labels = container.get("Labels") or {}
        if labels.get(OWNER_HOST) != _host() or _alive(labels.get(OWNER_PROCESS, "")):
            continue
        with suppress(MixpeekError), engine_errors("remove an earlier sandbox"):
            engine.client.api.remove_container(container["Id"], force=True, v=True)
            removed.append(str(container["Id"]))
    return removed


def _host() -> str:
    """This machine's name and, where known, its current boot and our PID namespace (pid_namespaces(7)).

    Process ids mean nothing across boots, and one of another namespace looks dead from here.
    """
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(parts)


def _identity(pid: int) -> str | None:
    """A process as ``pid:start time``: ids are used again, start times are not (proc_pid_stat(5), field 22)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return f"{pid}:{fields[19]}"


def _alive(process: str) -> bool:
    pid = process.partition(":")[0]
    if not pid.isdigit():
        return False
    if not Path("/proc/self/stat").exists():  # no /proc: ask the kernel whether the id is in use
        with suppress(OSError):
            os.kill(int(pid), 0)
            return True
        return False
    return _identity(int(pid)) == process
