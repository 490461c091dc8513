"""Holds what an engine says it applied to a container against what was asked of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.launch import SCRATCH
from sandbox.policy import Policy
from sandbox.seccomp import profile_digest

# What both engines repeat to the letter (tried with Docker 20.10 and podman 4.3).
_EXACT = (
    "NetworkMode",
    "ReadonlyRootfs",
    "Privileged",
    "Memory",
    "MemorySwap",
    "NanoCpus",
    "PidsLimit",
    "SecurityOpt",
    "ShmSize",
)
# Each is a namespace of the container alone. podman 4.3 tells the second although asked for the first: other
# containers may join it, if whoever speaks to the engine starts them so.
_OWN_IPC = ("private", "shareable")
# podman spells ALL out as the capabilities that it would give by default.
_DEFAULT_CAPABILITIES = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "NET_BIND_SERVICE",
        "NET_RAW",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)


def disagreements(request: Mapping[str, Any], details: Mapping[str, Any]) -> list[str]:
    """What the engine's inspection ``details`` shows otherwise than ``request`` asked; empty when all stands."""
    asked, applied = request["HostConfig"], details["HostConfig"]
    found = [name for name in _EXACT if applied.get(name) != asked[name]]
    if "Runtime" in asked and applied.get("Runtime") != asked["Runtime"]:
        found.append("Runtime")
    if details["Config"].get("User") != request["User"]:
        found.append("User")
    if applied.get("IpcMode") not in _OWN_IPC:
        found.append("IpcMode")
    # An engine adds the limits that its own configuration sets by default, where we ask for none.
    if not _ulimits(asked).items() <= _ulimits(applied).items():
        found.append("Ulimits")
    return [*found, *_capabilities(applied), *_tmpfs(asked, applied), *_mounts(asked, details)]


def _ulimits(config: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Soft and hard limits by name; podman writes ``RLIMIT_NOFILE`` for ``nofile``."""
    limits = config.get("Ulimits") or ()
    return {
        str(limit["Name"]).lower().removeprefix("rlimit_"): (limit.get("Soft"), limit.get("Hard"))
        for limit in limits
    }


def _capabilities(applied: Mapping[str, Any]) -> Iterator[str]:
    dropped = {str(name).removeprefix("CAP_") for name in applied.get("CapDrop") or ()}
    if not ("ALL" in dropped or dropped >= _DEFAULT_CAPABILITIES):
        yield "CapDrop"
    if applied.get("CapAdd"):
        yield "CapAdd"


def _tmpfs(asked: Mapping[str, Any], applied: Mapping[str, Any]) -> Iterator[str]:
    """Every place with every option that was asked for, its sizes among them; podman adds options of its own."""
    wanted, mounts = asked["Tmpfs"], applied.get("Tmpfs") or {}
    for place, options in wanted.items():
        if not set(options.split(",")) <= set(str(mounts.get(place, "")).split(",")):
            yield f"Tmpfs {place}"
    for place in mounts.keys() - wanted.keys():
        yield f"Tmpfs {place}"


def _mounts(asked: Mapping[str, Any], details: Mapping[str, Any]) -> Iterator[str]:
    """What is mounted beside the engine's own: exactly what was asked for, and read-only.

    Docker tells mounts as they were asked for and, under ``Mounts``, as they are; podman the latter, and the
    former as binds.
    """
    wanted = {(mount["Source"], mount["Target"]) for mount in asked.get("Mounts") or ()}
    binds = {tuple(str(bind).split(":")[:2]) for bind in details["HostConfig"].get("Binds") or ()}
    if not binds <= wanted:
        yield "Binds"
    held = [mount for mount in details.get("Mounts") or () if mount.get("Type") != "tmpfs"]
    if {(mount.get("Source"), mount.get("Destination")) for mount in held} != wanted:
        yield "Mounts"
    if any(mount.get("Type") != "bind" or mount.get("RW") is not False for mount in held):
        yield "Mounts"


def describe(details: Mapping[str, Any], policy: Policy) -> dict[str, Any]:
    """What confines a container, in the engine's words, once `disagreements` found none."""
    host = details["HostConfig"]
    options = [str(option) for option in host.get("SecurityOpt") or ()]
    return {
        "network": host.get("NetworkMode"),
        "capabilities_dropped": ["ALL"] if not list(_capabilities(host)) else host.get("CapDrop"),
        "no_new_privileges": any(option.startswith("no-new-privileges") for option in options),
        "seccomp": profile_digest(policy.profile),
        "read_only_root": host.get("ReadonlyRootfs"),
        "user": details["Config"].get("User"),
        "memory_bytes": host.get("Memory"),
        "processes": host.get("PidsLimit"),
        "scratch_options": (host.get("Tmpfs") or {}).get(SCRATCH),
        "runtime": host.get("Runtime"),
        "devices": host.get("DeviceRequests") or [],
        "policy": policy.digest,
    }
