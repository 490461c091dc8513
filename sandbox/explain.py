"""Everything that a policy allows, each with its reason: taken from what is really asked of an engine. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from errno import errorcode
from typing import Any

from sandbox.launch import SCRATCH, Dialect, container_request
from sandbox.policy import Policy
from sandbox.seccomp.profile import PROFILES
from sandbox.seccomp.source import Condition
from sandbox.trace.calls import PASSED_ON_BY_ARGUMENT, REFUSED


@dataclass(frozen=True)
class Allowance:
    """One thing that is granted, bounded or set: its kind, its name, its value in words, and why."""

    kind: str
    name: str
    value: str
    reason: str

    def to_json(self) -> dict[str, str]:
        """The allowance as an item of ``data.allowances``."""
        return asdict(self)


_CONTAINER = {
    "User": ("privileges", "a user that no distribution has: owns no file, may signal none but its own processes"),
    "NetworkDisabled": ("privileges", "no interface but lo is made"),
    "Entrypoint": ("process", "what the image would start is not started"),
    "Tty": ("process", "no terminal that typed input could be forged through"),
    "OpenStdin": ("process", "the job comes in, and its end is noticed, on standard input"),
    "StdinOnce": ("process", "when the host hangs up, standard input ends, and with it the container"),
    "AttachStdin": ("process", "the host's end of the job"),
    "AttachStdout": ("process", "the guest's framed answers, read as untrusted input"),
    "AttachStderr": ("process", "the guest's own complaints; a bounded tail is kept"),
    "Healthcheck": ("process", "no program of the image runs beside the guest"),
}
_HOST = {
    "NetworkMode": ("privileges", "a network namespace with nothing in it"),
    "CapDrop": ("privileges", "not one capability, for no one, in any process"),
    "SecurityOpt": ("privileges", "set-id programs give nothing; system calls are the allowlist below"),
    "Privileged": ("privileges", "stated, so that an engine's default cannot change it"),
    "ReadonlyRootfs": ("mounts", "the image cannot be changed, not even for the next stage"),
    "IpcMode": ("privileges", "shared memory and semaphores of this container alone"),
    "ShmSize": ("mounts", "/dev/shm, which multiprocessing and torch share memory through"),  # noqa: S108 - a name in a sentence
    "Memory": ("limits", "what the container may use before the kernel ends it"),
    "MemorySwap": ("limits", "memory and swap together: no swap"),
    "NanoCpus": ("limits", "billionths of a processor; more waits its turn"),
    "PidsLimit": ("limits", "processes and threads together: a fork bomb ends here"),
    "LogConfig": ("limits", "the engine keeps no log, which a flood would fill the host's disk with"),
    "RestartPolicy": ("process", "one container, one job"),
    "MaskedPaths": ("mounts", "what the kernel would tell about itself, its memory and its devices is covered"),
    "ReadonlyPaths": ("mounts", "what the kernel would take orders through cannot be written"),
    "AutoRemove": ("process", "the verdict needs the engine's word on how it ended; the host removes it"),
    "Runtime": ("runtime", "gVisor: a second kernel, in user space, stands between the plugin and this machine's"),
    "DeviceRequests": ("devices", "the GPUs, by the engine's own hook or CDI; nothing else of /dev is added"),
}
_ULIMITS = {
    "nofile": "open files of one process, the supervisor's as well",
    "nproc": "the kernel counts it over the whole machine, so it bounds no plugin; podman will not start without",
    "core": "no core dumps: they hold memory, and fill disks",
    "memlock": "page-locked buffers for copies to the device; the memory limit bounds them",
}
_ENVIRONMENT = {
    "HOME": "caches go where writing is possible",
    "TMPDIR": "temporary files go where writing is possible",
    "LANG": "text is UTF-8, as on the platform",
    "PYTHONDONTWRITEBYTECODE": "the code's folder is read-only anyway",
    "OMP_NUM_THREADS": "as many threads of BLAS and OpenMP as processors are given, not as the machine has",
    "MALLOC_MMAP_THRESHOLD_": "what one batch frees serves the next: pages are not cleared and counted anew",
    "MALLOC_TRIM_THRESHOLD_": "as above; the limit on memory holds all the same",
    "NVIDIA_VISIBLE_DEVICES": "no GPU, also where the image or the engine's default runtime asks for them",
    "NVIDIA_DRIVER_CAPABILITIES": "of the driver CUDA and NVML, neither display nor video",
}
_GUEST = {
    "stage_seconds": "each stage's own time, kept by the supervisor inside",
    "clearing_seconds": "what ending a stage's processes takes at most, and again emptying its folders",
    "wall_seconds": "the whole container's time, kept by the host, later than all stages together",
    "output": "what one stage may print, in bytes",
    "result": "what one stage may send back as data, in bytes",
}


def explain(policy: Policy, dialect: Dialect | None = None) -> tuple[Allowance, ...]:
    """Every argument that the engine is given for ``policy``, every limit that we keep, every system call.

    ``dialect`` is the engine's, Docker's by default. An argument without a reason here raises ``KeyError``.
    """
    words = dialect or Dialect(seccomp=policy.profile)
    request = container_request(policy, image="", command=(), labels={}, dialect=words)
    return (*_arguments(request), *_guest(policy), *_syscalls(policy), *_inner(policy))


def _arguments(request: Mapping[str, Any]) -> Iterator[Allowance]:
    for name, value in request.items():
        if name in _CONTAINER:
            kind, reason = _CONTAINER[name]
            yield Allowance(kind, name, _words(value), reason)
    for entry in request["Env"]:
        name, _, value = entry.partition("=")
        yield Allowance("environment", name, value, _ENVIRONMENT[name])
    host = dict(request["HostConfig"])
    for place, options in host.pop("Tmpfs").items():
        yield Allowance("mounts", place, options, _mount_reason(place))
    for limit in host.pop("Ulimits"):
        yield Allowance("limits", limit["Name"], str(limit["Hard"]), _ULIMITS[limit["Name"]])
    for name, value in host.items():
        kind, reason = _HOST[name]
        yield Allowance(kind, name, _words(value), reason)


def _mount_reason(place: str) -> str:
    if place == SCRATCH:
        return "the one folder to write to: in memory, nothing in it can be run, emptied after each stage"
    return "podman would mount it writable and without limit by itself; so it is there and tiny"


def _guest(policy: Policy) -> Iterator[Allowance]:
    for name, reason in _GUEST.items():
        yield Allowance("limits", name, _words(getattr(policy, name)), reason)


def _syscalls(policy: Policy) -> Iterator[Allowance]:
    profile = PROFILES[policy.seccomp]
    for group in profile.groups:
        yield Allowance("system calls", group.name, " ".join(group.calls), group.reason)
    for condition in profile.conditions:
        yield Allowance("system call arguments", " ".join(condition.calls), _test(condition), condition.reason)
    for answer in profile.answers:
        calls = " ".join(call for call in answer.calls if call in profile.answered)
        if calls:
            kind = "system calls refused with another error"
            yield Allowance(kind, calls, errorcode[answer.errno], answer.reason)


def _inner(policy: Policy) -> Iterator[Allowance]:
    """What the engine's filter passes on to the guest's, which refuses and reports it."""
    kind = "system calls refused and reported by the guest's filter"
    if policy.inner is None or not policy.inner.kernel:
        return
    for name, (meaning, calls) in REFUSED.items():
        yield Allowance(kind, name, calls, meaning)
    families = (
        "passed on for other families and for namespaces, so that an attempt can be reported with its address"
    )
    yield Allowance(kind, "by argument", " ".join(PASSED_ON_BY_ARGUMENT), families)
    if not policy.executes:
        yield Allowance(kind, "programs", "execve", "no process becomes another program once plugin code may run")


def _test(condition: Condition) -> str:
    argument = f"argument {condition.argument}"
    if condition.operator == "masked":
        return f"{argument} & {condition.mask:#x} = {condition.value:#x}"
    return f"{argument} = {condition.value:#x}"


def _words(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_words, value)) or "none"
    if isinstance(value, dict):
        return " ".join(f"{key}={_words(item)}" for key, item in value.items() if item not in ({}, None, 0, ""))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
