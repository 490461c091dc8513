"""Builds the plugin's image and runs the guest in it, in a container that is denied everything by default."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module

from images.base.catalogue import Accelerator
from images.build import BuildRequest, BuiltImage, build
from images.requirements import RequirementSet
from sandbox.conversation import Job, Sample
from sandbox.dialect import dialect_for
from sandbox.leftovers import remove_leftovers
from sandbox.outcome import SandboxOutcome
from sandbox.policy import Policy
from sandbox.session import Session
from toolchain.building import describe_image, image_files, kept_lock
from toolchain.check.gpu import require_gpu
from toolchain.check.guest_run import GuestRun
from toolchain.core.containers import ContainerEngine, connect
from toolchain.core.image_layout import PYTEST, plugin_directory
from toolchain.core.reporter import Reporter
from toolchain.plugin.tree import PluginTree


@dataclass(frozen=True)
class SandboxJob:
    """What to run: the plugin's files, its package name, what it requires, and the stages with their sample."""

    tree: PluginTree
    name: str
    requirements: RequirementSet
    stages: tuple[str, ...]
    sample: Sample | None


def run_in_sandbox(job: SandboxJob, policy: Policy, reporter: Reporter) -> GuestRun:
    """Build, start, run, judge, remove.

    Raises ``EngineUnavailable``, ``EngineRefused``, ``ImageUnavailable``, ``NetworkUnavailable``,
    ``DependencyFault`` and, when the policy hands GPUs in, what ``require_gpu`` raises; whatever the plugin does
    ends in a ``GuestRun``.
    """
    work = Job(job.name, plugin_directory(job.name), job.stages, pytest=(PYTEST,), sample=job.sample)
    with closing(connect(reporter=reporter)) as engine:
        dialect_for(engine, policy)  # a level that cannot be had here is refused before anything is built
        remove_leftovers(engine)
        image = _build(job, engine, policy, reporter)
        if policy.gpus:
            require_gpu(engine, image.id, policy, reporter)
        outcome = _run(engine, image, policy, work, reporter)
    limits = (
        f"the limits are {policy.stage_seconds:g} s a stage (--timeout) and {policy.memory >> 20} MiB (--memory)"
    )
    return GuestRun(
        place=f"sandbox on {engine.kind} {engine.version} ({engine.found})",
        transcript=outcome.transcript,
        ending=outcome.ending,
        reason=outcome.reason,
        limits=limits,
        facts=outcome.facts,
        image=describe_image(image),
        watch=policy.watch,
        kernel_watched=policy.inner is not None and policy.inner.kernel,
    )


def _build(job: SandboxJob, engine: ContainerEngine, policy: Policy, reporter: Reporter) -> BuiltImage:
    accelerator: Accelerator = "cuda" if policy.gpus else "cpu"
    request = BuildRequest(
        name=job.name,
        files=image_files(job.tree),
        requirements=job.requirements,
        with_tests=True,
        accelerator=accelerator,
        lock=kept_lock(job.tree, accelerator, engine.architecture),
    )
    return build(request, engine, reporter)


def _run(
    engine: ContainerEngine, image: BuiltImage, policy: Policy, job: Job, reporter: Reporter
) -> SandboxOutcome:
    with reporter.phase("sandbox") as phase:
        with Session(engine, image.id, policy) as session:
            # Imported while the guest works: reading what it returns needs pyarrow (0.15 s).
            imports = threading.Thread(target=import_module, args=("pyarrow.compute",))
            imports.start()
            try:
                outcome = session.run(job, phase.advance)
            finally:
                imports.join()
        phase.result = outcome.reason
    return outcome
