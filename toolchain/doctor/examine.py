"""The list of checks, and how it is worked through."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from toolchain.core.errors import ExitCode, MixpeekError
from toolchain.core.findings import Finding
from toolchain.doctor.engines import cgroups, engine, gvisor, programs
from toolchain.doctor.gpu import gpu
from toolchain.doctor.isolation import isolation
from toolchain.doctor.machine import disk, python, uv
from toolchain.doctor.model import Check, Status, Surroundings
from toolchain.doctor.network import image_sources, package_index


@dataclass(frozen=True)
class Examination:
    """A group of checks that are made together. ``waits`` marks those that spend their time on the network."""

    name: str
    look: Callable[[Surroundings], list[Check]]
    waits: bool = False


EXAMINATIONS: tuple[Examination, ...] = (
    Examination("engine", engine),
    Examination("engine-programs", programs),
    Examination("cgroups", cgroups),
    Examination("isolation", isolation),
    Examination("gvisor", gvisor),
    Examination("image-sources", image_sources, waits=True),
    Examination("package-index", package_index, waits=True),
    Examination("uv", uv),
    Examination("python", python),
    Examination("disk", disk),
    Examination("gpu", gpu),
)


def examinations(*, gpu: bool = False) -> tuple[Examination, ...]:
    """The list; ``gpu`` makes a GPU something needed and looks at every CUDA image too."""
    if not gpu:
        return EXAMINATIONS
    # Imported here: the list without it needs nothing of what judges images.
    from toolchain.doctor.gpu_images import gpu_in_detail

    return (*(one for one in EXAMINATIONS if one.name != "gpu"), Examination("gpu", gpu_in_detail))


@dataclass(frozen=True)
class Diagnosis:
    """All checks in the order of ``EXAMINATIONS``, and what was repaired before they were made."""

    checks: tuple[Check, ...]
    repaired: tuple[str, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """``COULD_NOT_TELL`` when something needed is missing or was not probed; warnings do not change it."""
        lacking = any(check.status in {Status.ERROR, Status.UNKNOWN} for check in self.checks)
        return ExitCode.COULD_NOT_TELL if lacking else ExitCode.PASSED

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every check that did not simply pass."""
        return tuple(finding for check in self.checks if (finding := check.to_finding()) is not None)

    def to_json(self) -> dict[str, Any]:
        """The ``data`` of ``mixpeek doctor --json``."""
        return {"checks": [check.to_json() for check in self.checks], "repaired": list(self.repaired)}


def diagnose(
    surroundings: Surroundings,
    *,
    repaired: tuple[str, ...] = (),
    examinations: tuple[Examination, ...] = EXAMINATIONS,
) -> Diagnosis:
    """Make every check. Those that wait for the network run beside the others, which keep this thread.

    Never raises for a check: one that itself fails counts as an error with the reason.
    """
    with ThreadPoolExecutor(thread_name_prefix="doctor") as pool:
        waiting: dict[str, Future[list[Check]]] = {
            one.name: pool.submit(_safely, one, surroundings) for one in examinations if one.waits
        }
        made = {one.name: _safely(one, surroundings) for one in examinations if not one.waits}
        made |= {name: future.result() for name, future in waiting.items()}
    return Diagnosis(tuple(check for one in examinations for check in made[one.name]), repaired)


def _safely(examination: Examination, surroundings: Surroundings) -> list[Check]:
    try:
        return examination.look(surroundings)
    except MixpeekError as fault:
        return [Check(examination.name, Status.ERROR, fault.message, fault.remedy)]
    except Exception as bug:  # noqa: BLE001 - one broken check must neither hide the others nor pass
        detail = f"the check itself failed: {type(bug).__name__}: {bug}"
        return [Check(examination.name, Status.ERROR, detail, "report this message")]
