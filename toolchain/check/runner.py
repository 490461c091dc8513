"""``plugin test`` as one library call: read, check what can be read, run the guest, judge what it did."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from images.environment import cache_directory
from images.requirements import RequirementSet, read_requirements
from sandbox.conversation import Job, Sample
from sandbox.policy import LEVELS, Policy, outer_deadline
from toolchain.check.borrowed import imported_names
from toolchain.check.guest_run import GuestRun
from toolchain.check.interpreter import Host, Interpreter, Wanted, choose_interpreter
from toolchain.check.process_run import run_in_process
from toolchain.check.reading import Reading, read_plugin
from toolchain.check.report import TestReport
from toolchain.check.samples_file import SampleChoice, find_sample
from toolchain.check.scanning import ScanBeside, check_scan
from toolchain.core.errors import UsageFault
from toolchain.core.reporter import Reporter


@dataclass(frozen=True)
class TestRequest:
    """What to test and how.

    ``level`` names the sandbox's policy (`sandbox.policy.LEVELS`).
    ``sample_data`` is a file of rows that the user gave, ``plugin_sample`` one that the plugin's settings name
    (``None``: its ``samples.*``); ``stage_seconds`` and ``memory``
    (bytes) override the policy's; ``python`` runs the plugin without ``sandbox``. ``trace`` watches everything
    that the plugin does in the sandbox, and demands two sources for it, as an audit must.
    """

    __test__ = False

    path: Path
    sandbox: bool = False
    level: str = "default"
    sample_data: Path | None = None
    plugin_sample: str | None = None
    python: Path | None = None
    stage_seconds: float | None = None
    memory: int | None = None
    trace: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def policy(self) -> Policy:
        """The policy with this request's limits; the outer deadline leaves every stage its own."""
        policy = LEVELS[self.level]
        if self.stage_seconds is not None:
            policy = replace(
                policy, stage_seconds=self.stage_seconds, wall_seconds=outer_deadline(self.stage_seconds)
            )
        if self.trace:
            policy = replace(policy, watch="everything")
        return policy if self.memory is None else replace(policy, memory=self.memory)


def test_plugin(request: TestRequest, reporter: Reporter) -> TestReport:
    """Check the plugin in ``request.path`` and return the verdict with all problems together.

    Nothing of the plugin runs in this process. Raises ``UsageFault`` for a folder or sample file that cannot be
    used, ``EngineUnavailable`` and its kin where a sandbox cannot be had: those say nothing about the plugin.
    """
    if request.trace and not request.sandbox:
        raise UsageFault("--trace needs the sandbox", remedy="add --sandbox: only there is a plugin watched")
    reading = read_plugin(request.path)
    beside = ScanBeside(reading.tree.root) if request.sandbox else None
    sample, against = find_sample(SampleChoice(request.sample_data, request.plugin_sample), reading.tree)
    requirements = read_requirements(reading.tree.root, reading.manifest.dependencies)
    reading = replace(reading, requirement_findings=(*against, *requirements.findings))
    guest = _guest(request, reading, requirements, sample, reporter) if reading.can_run else nullcontext(None)
    with guest as run_guest:
        # Imported while a sandbox's container starts; it is removed while the report is put together.
        from toolchain.check.assemble import assemble

        run = run_guest() if run_guest is not None else None
        scanned = None if beside is None else check_scan(beside)
        return assemble(reading, run, sample, scanned)


test_plugin.__test__ = False  # type: ignore[attr-defined]  # pytest collects functions called test_…


@contextmanager
def _guest(
    request: TestRequest, reading: Reading, requirements: RequirementSet, sample: Sample | None, reporter: Reporter
) -> Iterator[Callable[[], GuestRun]]:
    """What is needed to run the plugin, made ready; the function that is handed out runs it, once."""
    stages = reading.stages(with_samples=sample is not None)
    if request.sandbox:
        # Imported here: a test without the sandbox needs neither the engine's SDK nor the image builder.
        from toolchain.check.sandbox_run import SandboxJob, sandboxed

        job = SandboxJob(reading.tree, reading.package, requirements, stages, sample)
        with sandboxed(job, request.policy, reporter) as run_guest:
            yield run_guest
        return
    wanted = Wanted(requirements.lines, requirements, imported_names(reading.modules.values()))
    host = Host(request.environment, cache_directory())
    interpreter = choose_interpreter(request.python, reading.tree.root, wanted, host, reporter)
    with _importable(reading.tree.root, reading.package) as root:
        job_here = Job(name=reading.package, root=str(root), stages=stages, sample=sample)
        yield lambda: _run_here(request, interpreter, job_here, reporter)


def _run_here(request: TestRequest, interpreter: Interpreter, job: Job, reporter: Reporter) -> GuestRun:
    with reporter.phase("run") as phase:
        run = run_in_process(interpreter.python, job, request.policy, phase.advance, request.environment)
        phase.result = f"{run.reason} ({interpreter.reason})"
    return run


@contextmanager
def _importable(root: Path, package: str) -> Iterator[Path]:
    """The plugin's folder under a path that pytest can work with.

    pytest imports tests by the names of their folders, and takes ``[`` and ``::`` in a path for its own syntax.
    Where that would fail, a link of the package's name stands in for the folder.
    """
    if root.name == package and "[" not in str(root) and "::" not in str(root):
        yield root
        return
    with TemporaryDirectory(prefix="mixpeek-") as folder:
        link = Path(folder) / package
        link.symlink_to(root, target_is_directory=True)
        yield link
