"""A policy as the engine's own arguments: one function, no side effects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.devices import DeviceWords, device_environment, device_requests
from sandbox.policy import Policy

_TINY = "rw,noexec,nosuid,nodev,size=65536"
SCRATCH = "/tmp"  # noqa: S108 - inside the container: its own tmpfs
USER_PROCESSES = 8192
_KEPT_BLOCK = 64 << 20  # bytes of the largest block that is kept when it is freed
_KEPT = 256 << 20  # bytes that are kept at the top of the heap

# The runtime's and the engine's defaults, stated so that an engine with other defaults changes nothing.
_HIDDEN_PATHS = (
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/sys/devices/virtual/powercap",
    "/sys/firmware",
)
_READONLY_PATHS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")


@dataclass(frozen=True)
class Dialect:
    """Where engines that speak the same API want different words.

    ``seccomp`` is what stands behind ``seccomp=``: the profile's text for Docker, a path on the engine's machine
    for podman. ``scratch_inodes``: podman 4 refuses the mount option ``nr_inodes``; there the memory limit bounds
    the number of files, since the kernel charges a tmpfs's inodes to the cgroup. ``devices`` is how GPUs are
    asked for. ``own_mounts`` are folders that the engine would mount writable, executable and unbounded by itself
    unless told otherwise.
    """

    seccomp: str
    scratch_inodes: bool = True
    own_mounts: tuple[str, ...] = ()
    devices: DeviceWords = "nvidia"


def container_request(
    policy: Policy,
    *,
    image: str,
    command: Sequence[str],
    labels: Mapping[str, str],
    dialect: Dialect,
) -> dict[str, Any]:
    """The body of the engine's "create a container" call for ``policy``.

    Source: Docker Engine API 1.41, POST /containers/create.
    """
    return {
        "Image": image,
        "Entrypoint": [],
        "Cmd": list(command),
        "User": policy.user,
        "Env": [*_environment(policy), *device_environment(policy.gpus)],
        "Labels": dict(labels),
        "Tty": False,
        "OpenStdin": True,
        "StdinOnce": True,  # when the host goes away the guest reads end-of-file and ends itself
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "NetworkDisabled": policy.network == "none",
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": _host_config(policy, dialect),
    }


def _environment(policy: Policy) -> list[str]:
    """Nothing of the host's; a home and a temporary folder that can be written, threads for the processors given.

    Without a number of threads, BLAS and OpenMP start one for each processor of the machine: on a large one that
    is slower under the quota, and more tasks than the limit allows. The allocator keeps what a batch frees for the
    next one (mallopt(3)): to give memory back and have every page of it cleared and counted anew costs more than
    the arithmetic on it. The limit on memory holds all the same.
    """
    return [
        f"HOME={SCRATCH}",
        f"TMPDIR={SCRATCH}",
        "LANG=C.UTF-8",
        "PYTHONDONTWRITEBYTECODE=1",
        f"OMP_NUM_THREADS={math.ceil(policy.cpus)}",
        f"MALLOC_MMAP_THRESHOLD_={_KEPT_BLOCK}",
        f"MALLOC_TRIM_THRESHOLD_={_KEPT}",
    ]


def _host_config(policy: Policy, dialect: Dialect) -> dict[str, Any]:
    tmpfs = f"rw,noexec,nosuid,nodev,mode=1777,size={policy.scratch}"
    mounts = dict.fromkeys(dialect.own_mounts, _TINY)
    if dialect.scratch_inodes:
        tmpfs += f",nr_inodes={policy.scratch_inodes}"
    config: dict[str, Any] = {
        "NetworkMode": policy.network,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", f"seccomp={dialect.seccomp}"],
        "Privileged": False,
        "ReadonlyRootfs": True,
        "Tmpfs": {**mounts, SCRATCH: tmpfs},
        "IpcMode": "private",
        "ShmSize": policy.shared_memory,
        "Memory": policy.memory,
        "MemorySwap": policy.memory,  # memory and swap together: no swap
        "NanoCpus": int(policy.cpus * 1_000_000_000),
        "PidsLimit": policy.processes,
        "Ulimits": [
            {"Name": "nofile", "Soft": policy.open_files, "Hard": policy.open_files},
            # The kernel counts these for the user on the whole machine, over all containers, so it is no limit of
            # one plugin (the cgroup is); podman refuses to start without a value of its own.
            {"Name": "nproc", "Soft": USER_PROCESSES, "Hard": USER_PROCESSES},
            {"Name": "core", "Soft": 0, "Hard": 0},
        ],
        "LogConfig": {"Type": "none", "Config": {}},  # a flood would otherwise fill the host's disk
        "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
        "MaskedPaths": list(_HIDDEN_PATHS),
        "ReadonlyPaths": list(_READONLY_PATHS),
        "AutoRemove": False,  # the verdict needs the engine's word on how the container ended
    }
    if policy.runtime is not None:
        config["Runtime"] = policy.runtime
    if policy.gpus:
        config["DeviceRequests"] = device_requests(policy.gpus, dialect.devices)
        # Pinned memory is memory: the cgroup's limit bounds it, whatever this says.
        config["Ulimits"].append({"Name": "memlock", "Soft": policy.memory, "Hard": policy.memory})
    return config
