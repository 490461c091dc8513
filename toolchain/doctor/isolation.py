"""Whether the sandbox's walls truly stand: `mixpeek sandbox check` without the probes that need packages."""

from __future__ import annotations

from itertools import groupby

from sandbox.policy import DEFAULT
from sandbox.probes.judge import Judged
from sandbox.probes.run import ProbeRun, run_probes
from toolchain.doctor.model import Check, Status, Surroundings, ok

_CGROUPS = "enable this cgroup controller for the engine (kernel command line, or the engine's cgroup settings)"
_ENGINE = "use an engine that enforces it: Docker Engine 20.10 or newer, or podman 4 or newer with runc or crun"
_REMEDIES = {"limits": _CGROUPS}
_NAMED = 5


def isolation(surroundings: Surroundings) -> list[Check]:
    """One check when every wall stands, else one for each that does not.

    Unknown, not passed, when there is no engine or no image to probe with. Raises ``EngineUnavailable`` and
    ``EngineRefused``.
    """
    engine, image = surroundings.engine, surroundings.base_image
    if engine is None or image is None or not surroundings.base_current:
        missing = "no engine answers" if engine is None else "there is no base image of this version yet"
        return [Check("isolation", Status.UNKNOWN, f"not probed: {missing}", "run `mixpeek doctor --fix`")]
    return judge(run_probes(engine, image, DEFAULT, with_packages=False))


def judge(run: ProbeRun) -> list[Check]:
    """A run of probes as checks. Pure."""
    if not run.failed:
        walls = {one.probe.wall for one in run.judged}
        return [ok("isolation", f"{len(run.judged)} probes of {len(walls)} walls came out as expected")]
    failed = sorted(run.failed, key=lambda one: one.probe.wall)
    return [_check(wall, list(group)) for wall, group in groupby(failed, key=lambda one: one.probe.wall)]


def _check(wall: str, failed: list[Judged]) -> Check:
    told = "; ".join(f"{one.probe.what}: {one.seen}" for one in failed[:_NAMED])
    more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
    name = f"wall-{wall.replace(' ', '-')}"
    if all(one.undecided for one in failed):
        return Check(
            name, Status.UNKNOWN, told + more, "run `mixpeek doctor` again when this machine is less busy"
        )
    return Check(name, Status.ERROR, told + more, _REMEDIES.get(wall, _ENGINE))
