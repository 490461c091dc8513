"""Whether the sandbox's walls stand at a level, tried from inside an image like a plugin's."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from images.base.catalogue import Accelerator
from images.build import BuildRequest, build
from images.requirements import RequirementSet, read_requirements
from sandbox.dialect import dialect_for
from sandbox.leftovers import remove_leftovers
from sandbox.policy import LEVELS
from sandbox.probes.run import ProbeRun, run_probes
from toolchain.building import kept_lock
from toolchain.check.gpu import require_gpu
from toolchain.check.reading import read_plugin
from toolchain.core.containers import ConnectOptions, connect
from toolchain.core.errors import DependencyFault, ExitCode
from toolchain.core.findings import Finding, Severity
from toolchain.core.reporter import Reporter

_NAME = "mixpeek_probes"


@dataclass(frozen=True)
class WallReport:
    """The probes of one level on one engine."""

    level: str
    place: str
    run: ProbeRun

    @property
    def exit_code(self) -> ExitCode:
        """A wall that is down says nothing about any plugin: what ran behind it could not be told."""
        return ExitCode.COULD_NOT_TELL if self.run.failed else ExitCode.PASSED

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Every probe that came out otherwise than expected."""
        return tuple(
            Finding(
                Severity.UNKNOWN,
                f"probe.{one.probe.id}",
                f"{one.probe.what}: {one.seen}, expected {' or '.join(one.expected)}; {one.probe.why}",
                "run nothing untrusted on this engine at this level; see `mixpeek doctor`",
            )
            for one in self.run.failed
        )

    def to_json(self) -> dict[str, Any]:
        """The ``data`` of ``mixpeek sandbox check --json``."""
        return {
            "level": self.level,
            "digest": LEVELS[self.level].digest,
            "place": self.place,
            "engine": self.run.engine,
            "seconds": round(self.run.seconds, 3),
            "limits": self.run.policy.to_json(),
            "probes": [one.to_json() for one in self.run.judged],
        }


def check_walls(level: str, options: ConnectOptions, reporter: Reporter, plugin: Path | None = None) -> WallReport:
    """Build an image without a plugin's code in it, try every probe there, and judge.

    With ``plugin``, a folder, the image has that plugin's dependencies, and the probes of those among them are
    tried too. Raises ``EngineUnavailable`` and ``EngineRefused`` where the level cannot be had,
    ``DependencyFault``, and what a build raises; at a level with GPUs also what ``require_gpu`` raises.
    """
    policy = LEVELS[level]
    accelerator: Accelerator = "cuda" if policy.gpus else "cpu"
    with closing(connect(options, reporter)) as engine:
        dialect_for(engine, policy)  # a level that cannot be had here is refused before anything is built
        remove_leftovers(engine)
        image = build(_request(plugin, accelerator, engine.architecture), engine, reporter)
        if policy.gpus:
            require_gpu(engine, image.id, policy, reporter)
        with reporter.phase("probes") as phase:
            run = run_probes(engine, image.id, policy)
            phase.result = f"{len(run.judged) - len(run.failed)} of {len(run.judged)} as expected"
        return WallReport(level, f"{engine.kind} {engine.version} ({engine.found})", run)


def _request(plugin: Path | None, accelerator: Accelerator, architecture: str) -> BuildRequest:
    if plugin is None:
        return BuildRequest(_NAME, (), RequirementSet(), accelerator=accelerator)
    reading = read_plugin(plugin)
    requirements = read_requirements(reading.tree.root, reading.manifest.dependencies)
    for finding in requirements.findings:
        if finding.severity is Severity.ERROR:
            raise DependencyFault(finding.message, where=finding.file, remedy=finding.remedy)
    lock = kept_lock(reading.tree, accelerator, architecture)
    return BuildRequest(_NAME, (), requirements, accelerator=accelerator, lock=lock)
