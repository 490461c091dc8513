"""Judges what the GPU check found: is the image wrong, or the machine?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from images.cuda import CudaNeeds, Verdict, needs_from_labels
from images.engine_calls import inspect_image
from sandbox.gpu import GpuReport, run_gpu_check
from sandbox.gpu.run import GpuRun
from sandbox.policy import GPU_POLICY, Policy
from toolchain.core.containers import ContainerEngine
from toolchain.core.errors import ImageUnavailable, MixpeekError, PluginFault
from toolchain.core.findings import Finding, Severity, ordered
from toolchain.core.reporter import Reporter

# "nvidia-cuda-nvrtc" brings libnvrtc, "nvidia-cublas" libcublas.
_COMPONENT = re.compile(r"nvidia-(?:cuda-)?([a-z]+)")
# cuda.h, CUresult, and driver_types.h, cudaError_t.
_UNSUPPORTED_PTX = 222
_INSUFFICIENT_DRIVER = 35
_IMAGE_RULE = "gpu.image"
_HOST_REMEDY = "run on a machine with an NVIDIA GPU and driver, and nvidia-container-toolkit for the engine"
_ADD = "add the wheels that bring it to the requirements, in one line of CUDA"


class GpuUnavailable(MixpeekError):
    """No kernel runs on this machine, and the image is not the reason."""

    id = "gpu-unavailable"


@dataclass(frozen=True)
class GpuCheck:
    """The verdict on an image's CUDA on this machine, with everything behind it, worst finding first."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    needs: CudaNeeds | None
    run: GpuRun

    def to_json(self) -> dict[str, Any]:
        """The check for ``--json``."""
        return {
            "verdict": self.verdict.value,
            "seconds": round(self.run.seconds, 3),
            "findings": [finding.to_json() for finding in self.findings],
        }


def check_gpu(engine: ContainerEngine, image: str, policy: Policy = GPU_POLICY) -> GpuCheck:
    """Run a tiny kernel in ``image`` and judge. Without a GPU the verdict is never a pass.

    Raises ``ImageUnavailable``, ``EngineUnavailable`` and ``EngineRefused``.
    """
    found = inspect_image(engine, image)
    if found is None:
        raise ImageUnavailable("there is no such image", where=image, remedy="build it first")
    needs = needs_from_labels((found.get("Config") or {}).get("Labels") or {})
    return judge(run_gpu_check(engine, str(found["Id"]), policy), needs)


def require_gpu(engine: ContainerEngine, image: str, policy: Policy, reporter: Reporter) -> None:
    """Let a tiny kernel run in ``image``, before a plugin does.

    Raises ``PluginFault`` when the image is wrong, ``GpuUnavailable`` when the machine is or when nobody can tell.
    """
    with reporter.phase("gpu") as phase:
        check = check_gpu(engine, image, policy)
        if check.verdict is Verdict.FITS:
            phase.result = "a kernel ran"
            return
        worst = check.findings[0]
        kind = PluginFault if check.verdict is Verdict.IMAGE_WRONG else GpuUnavailable
        raise kind(worst.message, where=f"image {image[:19]}", remedy=worst.remedy)


def judge(run: GpuRun, needs: CudaNeeds | None) -> GpuCheck:
    """The verdict. Pure. The image's own faults come first: they show on any machine."""
    if run.report is None:
        finding = Finding(
            Severity.UNKNOWN,
            "gpu.no-report",
            run.problem or "no report",
            "a library of the image may have crashed",
        )
        return GpuCheck(Verdict.UNKNOWN, (finding,), needs, run)
    findings = ordered([*_image_findings(run.report, needs), *_host_findings(run, run.report, needs)])
    return GpuCheck(_verdict(findings), findings, needs, run)


def _verdict(findings: tuple[Finding, ...]) -> Verdict:
    errors = {finding.rule for finding in findings if finding.severity is Severity.ERROR}
    if errors:
        return Verdict.IMAGE_WRONG if _IMAGE_RULE in errors else Verdict.HOST_WRONG
    return Verdict.UNKNOWN if any(f.severity is Severity.UNKNOWN for f in findings) else Verdict.FITS


def _image_findings(report: GpuReport, needs: CudaNeeds | None) -> Iterator[Finding]:
    for library in report.libraries:
        if library.error is not None:
            yield _image(f"{library.file} does not load: {library.error}")
    compiler = report.compiler
    if compiler is not None and compiler.error is not None:
        yield _image(f"NVRTC {compiler.version[0]}.{compiler.version[1]} does not compile: {compiler.error}")
    for sentence in needs.lacking if needs else ():
        # Not only promised by the labels: the check looked for the library and did not find it.
        missing = set(_COMPONENT.findall(sentence)) - {library.name.lower() for library in report.libraries}
        if missing:
            yield _image(sentence)


def _image(message: str) -> Finding:
    return Finding(Severity.ERROR, _IMAGE_RULE, message, _ADD)


def _host_findings(run: GpuRun, report: GpuReport, needs: CudaNeeds | None) -> Iterator[Finding]:
    driver = report.driver
    wanted = f"this image needs driver ≥ {needs.least_driver}; " if needs and needs.least_driver else ""
    if run.no_device is not None:
        message = f"{wanted}the engine has no GPU to hand in: {run.no_device}"
        yield Finding(Severity.UNKNOWN, "gpu.engine", message, _HOST_REMEDY)
    elif not driver.loaded:
        message = f"{wanted}there is no NVIDIA driver in the container ({driver.error})"
        yield Finding(Severity.UNKNOWN, "gpu.driver", message, _HOST_REMEDY)
    elif driver.error is not None:
        yield _host(f"{wanted}the driver does not start: {driver.error}")
    elif not driver.devices:
        yield Finding(Severity.UNKNOWN, "gpu.device", f"{wanted}the driver sees no device", _HOST_REMEDY)
    else:
        yield from _kernel_findings(report, wanted)


def _kernel_findings(report: GpuReport, wanted: str) -> Iterator[Finding]:
    """A device is there: did the kernels run?"""
    driver, compiler = report.driver, report.compiler
    if driver.kernel is None or not driver.kernel.right:
        failure = driver.kernel.error if driver.kernel else None
        yield _host(f"a kernel that needs nothing of the image does not run: {failure or 'its results are wrong'}")
        return
    for library in report.libraries:
        if library.devices == _INSUFFICIENT_DRIVER:
            version = ".".join(map(str, library.version or ()))
            yield _host(f"{wanted}the driver is too old for the image's CUDA runtime {version}")
    if compiler is None or compiler.kernel is None or compiler.kernel.right:
        return
    reason = compiler.kernel.error
    if reason is not None and reason.code == _UNSUPPORTED_PTX:
        version = ".".join(map(str, compiler.version))
        known = ".".join(map(str, driver.version or ()))
        yield _host(f"the driver knows CUDA up to {known} and refuses what the image's NVRTC {version} compiles")
    else:
        why = reason or "its results are wrong"
        yield _image(f"what the image's NVRTC compiles does not run, while a kernel of ours does: {why}")


def _host(message: str) -> Finding:
    return Finding(
        Severity.ERROR, "gpu.host", message, "update the driver (`nvidia-smi` shows it), or use another machine"
    )
