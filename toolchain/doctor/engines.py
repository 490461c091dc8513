"""The engine and the programs around it."""

from __future__ import annotations

import shutil

from toolchain.core.containers.advice import install_remedy
from toolchain.core.containers.programs import search_path
from toolchain.doctor.model import Check, Status, Surroundings, ok

# Docker 20.10: the oldest API that the sandbox was tried with.
_LEAST_API = (1, 41)


def engine(surroundings: Surroundings) -> list[Check]:
    """Whether an engine answers, which, and how it was found."""
    found = surroundings.engine
    if found is None:
        fault = surroundings.fault
        detail, remedy = (str(fault.message), fault.remedy) if fault else ("none answers", install_remedy())
        return [Check("engine", Status.ERROR, detail, remedy)]
    title = "Docker Engine" if found.kind == "docker" else "Podman"
    place = "" if found.local else ", on another kernel"
    detail = (
        f"{title} {found.version}, API {found.api_version}, {found.architecture}, found by: {found.found}{place}"
    )
    checks = [ok("engine", detail)]
    if _numbers(found.api_version) < _LEAST_API:
        remedy = "install Docker Engine 20.10 or newer, or podman 4 or newer"
        checks = [Check("engine", Status.ERROR, f"{detail}: too old", remedy)]
    checks += [Check("engine-note", Status.NOTE, note) for note in found.notes]
    checks += [
        Check(
            "engine-warning",
            Status.WARNING,
            str(warning),
            "see the engine's documentation; limits are probed below",
        )
        for warning in surroundings.info.get("Warnings") or []
        if _matters(str(warning))
    ]
    return checks


def cgroups(surroundings: Surroundings) -> list[Check]:
    """Which cgroup version the engine works with, by its own account."""
    if not surroundings.info:
        return []
    info = surroundings.info
    version = info.get("CgroupVersion") or ("unknown" if surroundings.engine is None else "1")
    lacking = [name for name in ("MemoryLimit", "PidsLimit", "CpuCfsQuota") if info.get(name) is False]
    detail = f"version {version}, driver {info.get('CgroupDriver') or 'unknown'}"
    if not lacking:
        return [ok("cgroups", detail)]
    remedy = "enable the memory, pids and cpu controllers (kernel command line `cgroup_enable=memory`)"
    return [Check("cgroups", Status.ERROR, f"{detail}; the engine lacks {', '.join(lacking)}", remedy)]


def programs(surroundings: Surroundings) -> list[Check]:
    """Which engine programs are installed, whether or not they run."""
    path = search_path(surroundings.environment)
    installed = [name for name in ("dockerd", "podman") if shutil.which(name, path=path)]
    detail = (
        " and ".join(installed) + " installed" if installed else "neither dockerd nor podman is installed here"
    )
    if installed or surroundings.engine is not None:
        return [Check("engine-programs", Status.NOTE if not installed else Status.OK, detail)]
    return [Check("engine-programs", Status.WARNING, detail, install_remedy())]


def gvisor(surroundings: Surroundings) -> list[Check]:
    """Whether containers could run under gVisor, a second kernel between the plugin and ours."""
    binary = shutil.which("runsc", path=search_path(surroundings.environment))
    runtimes = surroundings.info.get("Runtimes") or {}
    # podman lists the runtimes that it knows of, docker those that somebody has added.
    if "runsc" in runtimes and (binary or surroundings.engine is None or surroundings.engine.kind == "docker"):
        return [ok("gvisor", "the runtime runsc is registered with the engine")]
    if binary:
        remedy = "optional: `sudo runsc install`, then restart the engine"
        return [Check("gvisor", Status.NOTE, f"{binary} is installed but not registered with the engine", remedy)]
    remedy = "optional: install runsc (https://gvisor.dev/docs/user_guide/install/), then `sudo runsc install`"
    return [Check("gvisor", Status.NOTE, "not installed; containers share this kernel", remedy)]


def _matters(warning: str) -> bool:
    """Podman and Docker also warn of bridges, blkio weights and the like, none of which the sandbox uses."""
    return any(
        word in warning.lower() for word in ("memory limit", "swap limit", "pids limit", "cpu cfs", "seccomp")
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
