"""Where a level or an engine rightly differs from what a probe expects, each with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.guest.probes.calls import MISTAKEN
from sandbox.guest.probes.model import Probe


@dataclass(frozen=True)
class Deviation:
    """What a probe shows instead at ``place``, a level's or an engine's name."""

    place: str
    probe: str
    expected: tuple[str, ...]
    reason: str


NOT_TRIED = "not tried"

_NO_PROGRAMS = "no process becomes another program at this level"
_SHOWN = "gVisor shows a process to others of its user although it asks to be hidden; nothing secret is there"
_EMULATED = "gVisor's own, and leads into gVisor alone"
_TRACKER = (
    "the locks' tracker is a program of its own, which does not start at this level; whether Python notices "
    "depends on which of the two is faster"
)

DEVIATIONS: tuple[Deviation, ...] = (
    Deviation("strict", "works.program", ("EPERM",), _NO_PROGRAMS),
    Deviation("strict", "works.event-loop-program", ("EPERM",), _NO_PROGRAMS),
    Deviation("strict", "works.memory-program", ("EPERM",), _NO_PROGRAMS),
    Deviation("strict", "works.spawn", ("a process that ended with status 255",), _NO_PROGRAMS),
    Deviation("strict", "works.locks", ("EPIPE", "works"), _TRACKER),
    Deviation(
        "gvisor",
        "process.signals",
        (NOT_TRIED,),
        "in gVisor process 1 can be killed and stopped from inside: such a run ends untold, or at its deadline",
    ),
    Deviation(
        "gvisor",
        "limits.forks",
        (NOT_TRIED,),
        "gVisor counts no processes; each costs it memory, and that limit ends the container first",
    ),
    *(
        Deviation("gvisor", probe, ("works",), _SHOWN)
        for probe in (
            "secrets-proc-1-environ",
            "secrets-proc-1-maps",
            "secrets-proc-1-fd",
        )
    ),
    Deviation(
        "gvisor",
        "process.line",
        ("works",),
        "gVisor lets processes of one user open each other's descriptors; what is written to process 1's line"
        " without its seal ends the run as a violation, and its memory, which holds the key, stays closed",
    ),
    Deviation("gvisor", "conventions.x32", ("EPERM",), "gVisor has no x32; its filter refuses the number"),
    Deviation("gvisor", "conventions.i386", (MISTAKEN,), "and as such the filter judges it"),
    *(Deviation("gvisor", probe, ("works",), _EMULATED) for probe in ("devices-dev-fuse", "devices-dev-net-tun")),
    Deviation("gvisor", "devices.others", ("failed: AssertionError: ['fuse', 'net']",), _EMULATED),
    Deviation(
        "gvisor",
        "root.mounts",
        ("failed: AssertionError: ['/dev', '/tmp', '/dev/shm']",),
        "gVisor's table of mounts leaves options out; the probes of programs show what holds",
    ),
    Deviation(
        "gvisor",
        "programs.library",
        ("works",),
        "gVisor's noexec stops programs and not mappings; with memory of its own a process can do the same",
    ),
    Deviation("gvisor", "privileges.ambient", ("EINVAL",), "gVisor has no ambient capabilities"),
    Deviation("gvisor", "process.oom-score", ("works",), "gVisor keeps the number and does nothing by it"),
    Deviation("gvisor", "limits.threads", ("nothing",), "gVisor counts no threads; memory and time bound them"),
    Deviation("gvisor", "limits.files", ("nothing",), "gVisor counts no files; memory bounds them"),
    Deviation(
        "podman",
        "root-var-tmp-probe",
        ("works",),
        "podman would mount it without limit where the root is read-only; so it is tiny and runs nothing",
    ),
    Deviation("podman", "limits.files", ("nothing",), "podman 4 takes no count of files; memory bounds them"),
    Deviation(
        "podman",
        "limits.memory",
        ("out of memory", "SIGKILL"),
        "with runc on cgroup version 1 the kernel ends it and podman does not learn why",
    ),
)


def deviation(probe: Probe, places: Iterable[str]) -> Deviation | None:
    """The deviation that holds for a probe in one of ``places``."""
    wanted = set(places)
    return next((one for one in DEVIATIONS if one.probe == probe.id and one.place in wanted), None)


def left_out(probe: Probe, places: Iterable[str]) -> bool:
    """Whether a probe must not be tried in one of ``places``, since it would end the others with it."""
    found = deviation(probe, places)
    return found is not None and found.expected == (NOT_TRIED,)
