"""Builds the plugin's image and runs the guest in it, in a container that is denied everything by default."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
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
from sandbox.prestart import Prestart
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


@contextmanager
def sandboxed(job: SandboxJob, policy: Policy, reporter: Reporter) -> Iterator[Callable[[], GuestRun]]:
    """Build the image and begin to start its container; the function that is handed out runs the job, once.

    Whatever needs no guest is best done between the two, for instance a scan of the sources: it costs no time
    while the container starts and its interpreter imports. The container is removed on leaving; the removal begins
    when the job has ended, so what is done before leaving costs none either.

    Raises ``EngineUnavailable``, ``EngineRefused`` (these two also from the function), ``ImageUnavailable``,
    ``NetworkUnavailable``, ``DependencyFault`` and, when the policy hands GPUs in, what ``require_gpu`` raises;
    whatever the plugin does ends in a ``GuestRun``.
    """
    with closing(connect(reporter=reporter)) as engine:
        dialect_for(engine, policy)  # a level that cannot be had here is refused before anything is built
        remove_leftovers(engine)
        image = _build(job, engine, policy, reporter)
        if policy.gpus:
            require_gpu(engine, image.id, policy, reporter)
        with Prestart(Session(engine, image.id, policy)) as prestart:
            yield lambda: _guest_run(engine, image, policy, _run(prestart, job, reporter))


def _guest_run(engine: ContainerEngine, image: BuiltImage, policy: Policy, outcome: SandboxOutcome) -> GuestRun:
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


def _run(prestart: Prestart, job: SandboxJob, reporter: Reporter) -> SandboxOutcome:
    work = Job(job.name, plugin_directory(job.name), job.stages, pytest=(PYTEST,), sample=job.sample)
    # Reading what the guest returns needs pyarrow: 0.15 s that pass while the guest works.
    imports = threading.Thread(target=import_module, args=("pyarrow.compute",))
    imports.start()
    try:
        with reporter.phase("sandbox") as phase:
            outcome = prestart.session().run(work, phase.advance)
            phase.result = outcome.reason
    finally:
        imports.join()
    return outcome
