"""Labels that say whose a container is, and the removal of what a crashed run left behind."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from toolchain.core.containers import ContainerEngine, engine_errors
from toolchain.core.errors import EngineRefused, MixpeekError

KIND = "com.mixpeek.kind"
OWNER_HOST = "com.mixpeek.owner.host"
OWNER_PROCESS = "com.mixpeek.owner.process"
SANDBOX = "sandbox"


def ownership() -> dict[str, str]:
    """Labels by which a later run can tell whether the process that made a container still lives."""
    return {KIND: SANDBOX, OWNER_HOST: _host(), OWNER_PROCESS: _identity(os.getpid()) or str(os.getpid())}


@dataclass(frozen=True)
class Leftover:
    """A container whose maker is gone. ``problem`` says why it is still there; it is empty once it was removed."""

    id: str
    name: str
    process: str
    state: str
    problem: str = ""

    def to_json(self) -> dict[str, str]:
        """The leftover as an item of ``data.leftovers``."""
        return asdict(self)


def remove_leftovers(engine: ContainerEngine) -> list[Leftover]:
    """Remove the sandboxes of this machine whose makers are gone, and tell which they were.

    Raises ``EngineUnavailable``. A container that somebody else removes first is not told.
    """
    with engine_errors("list earlier sandboxes"):
        found = engine.client.api.containers(all=True, filters={"label": f"{KIND}={SANDBOX}"})
    told = []
    for container in found:
        labels = container.get("Labels") or {}
        if labels.get(OWNER_HOST) != _host() or _alive(labels.get(OWNER_PROCESS, "")):
            continue
        name = (container.get("Names") or [container["Id"]])[0].lstrip("/")
        state = str(container.get("Status") or container.get("State") or "state unknown")
        leftover = Leftover(str(container["Id"]), name, labels.get(OWNER_PROCESS, "").partition(":")[0], state)
        try:
            with engine_errors("remove an earlier sandbox"):
                engine.client.api.remove_container(leftover.id, force=True, v=True)
        except MixpeekError as reason:
            if _exists(engine, leftover.id):
                told.append(replace(leftover, problem=reason.message))
        else:
            told.append(leftover)
    return told


def _exists(engine: ContainerEngine, container: str) -> bool:
    """Whether it is still there, as far as the engine says."""
    try:
        with engine_errors("look for an earlier sandbox"):
            engine.client.api.inspect_container(container)
    except EngineRefused:
        return False
    return True


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
