"""What a container may do, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType
from typing import Any, Final

from sandbox.trace.inner import InnerFilter
from toolchain.core.digests import sha256_json

MEBIBYTE = 1 << 20
GIBIBYTE = 1 << 30


# Measured: hundreds of processes take a second to end, 20,000 folders in one another 0.7 s to remove.
_CLEARING_SECONDS = 10.0
# What each stage may take beside its own time: a worker's imports on a cold disk (the guest waits 60 s for them),
# the end of what it left running, and the removal of what it left in files.
_AROUND_A_STAGE = 60.0 + 2 * _CLEARING_SECONDS
_AROUND_A_JOB = 30.0


def outer_deadline(stage_seconds: float) -> float:
    """The host's deadline in seconds that no honest course of four stages reaches before the inner ones."""
    return 4 * (stage_seconds + _AROUND_A_STAGE) + _AROUND_A_JOB


@dataclass(frozen=True)
class Policy:
    """Everything that the engine is asked to enforce on a plugin's container; nothing else is granted.

    Sizes are in bytes, times in seconds. ``stage_seconds`` is the inner deadline of each stage, enforced by the
    guest's supervisor; ``wall_seconds`` the outer one for the whole container, enforced by the host;
    ``clearing_seconds`` the most that it takes after a stage to end what that left running, and again to empty
    the folders that it wrote to. ``memory`` has no swap behind it. ``output`` bounds what one stage may print,
    ``result`` what it may send back as data. ``gpus`` names the devices that are handed in: indices, UUIDs (also
    of MIG instances) or ``all``. ``watch`` is what the kernel reports of the plugin: ``nothing``, ``attempts`` (of
    what it is denied, and programs that it starts), or ``everything``, which adds opened files, libraries and the
    like. ``processes`` counts threads too, as the kernel does. ``executes`` is whether a process may become
    another program once plugin code may run; it takes the inner filter to forbid that.
    """

    level: str = "default"
    network: str = "none"
    user: str = "65532:65532"
    seccomp: str = "cpu"
    runtime: str | None = None
    cpus: float = 2.0
    memory: int = 4 * GIBIBYTE
    processes: int = 256
    open_files: int = 1024
    scratch: int = 512 * MEBIBYTE
    scratch_inodes: int = 20_000
    shared_memory: int = 64 * MEBIBYTE
    output: int = 16 * MEBIBYTE
    result: int = 512 * MEBIBYTE
    stage_seconds: float = 120.0
    clearing_seconds: float = _CLEARING_SECONDS
    wall_seconds: float = outer_deadline(120.0)
    gpus: tuple[str, ...] = ()
    watch: str = "attempts"
    executes: bool = True

    @property
    def profile(self) -> str:
        """The engine's seccomp profile for a guest under this policy."""
        return f"{self.seccomp}-watched" if self.inner is not None and self.inner.kernel else self.seccomp

    @property
    def inner(self) -> InnerFilter | None:
        """What the guest watches, and by which filter, which gVisor does not know; ``None`` for nothing."""
        if self.watch == "nothing" and self.executes:
            return None
        kernel = self.runtime != "runsc"
        return InnerFilter(closely=self.watch == "everything", run_programs=self.executes, kernel=kernel)

    def to_json(self) -> dict[str, Any]:
        """The policy as it is recorded."""
        return asdict(self)

    @property
    def digest(self) -> str:
        """SHA-256 over the policy and all that is asked of an engine for it, both filters included."""
        from sandbox.launch import Dialect, container_request
        from sandbox.seccomp import profile_digest

        words = Dialect(seccomp=profile_digest(self.profile))
        request = container_request(self, image="", command=(), labels={}, dialect=words)
        inner = self.inner and self.inner.digest
        return sha256_json({"policy": self.to_json(), "request": request, "inner": inner})


DEFAULT: Final = Policy()

# Supervisor, worker, stage, the threads of BLAS and pyarrow for two processors, and room for a few of one's own.
STRICT: Final = replace(DEFAULT, level="strict", processes=64, executes=False)

# On the machine a process of gVisor's ptrace platform is several tasks of its kernel; with few it does not even
# start, and when they run out it hangs. The plugin's own processes are bounded by memory and time there.
GVISOR: Final = replace(DEFAULT, level="gvisor", seccomp="gvisor", runtime="runsc", processes=2048)

# The driver maps every device's memory and opens its files once for each context; frameworks for CUDA hold one to
# three gigabytes of libraries and staging buffers on the host. Chosen with room, not measured on a GPU yet.
GPU_POLICY: Final = Policy(
    level="gpu",
    seccomp="gpu",
    memory=16 * GIBIBYTE,
    processes=512,
    open_files=16_384,
    shared_memory=GIBIBYTE,
    stage_seconds=300.0,
    wall_seconds=outer_deadline(300.0),
    gpus=("all",),
)

LEVELS: Final[Mapping[str, Policy]] = MappingProxyType(
    {policy.level: policy for policy in (DEFAULT, STRICT, GVISOR, GPU_POLICY)}
)
"""The policies by their levels' names."""
