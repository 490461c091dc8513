"""Image wrong or host wrong: every way in which the check can end, and none without a GPU passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from images.cuda import CudaNeeds, CudaVersion, Verdict
from sandbox.gpu.report import CompilerReport, DriverReport, GpuReport, KernelRun, Library, Refusal
from sandbox.gpu.run import GpuRun
from sandbox.policy import GPU_POLICY
from toolchain.check import gpu
from toolchain.check.gpu import GpuCheck, judge
from toolchain.core.errors import ExitCode, PluginFault
from toolchain.core.reporter import SilentReporter

NEEDS = CudaNeeds(CudaVersion(12, 9), ("cupy-cuda12x 14.2.0",), (5, 0))
RIGHT = KernelRun(right=True, error=None)
DRIVER = DriverReport(True, None, (12, 4), 1, (8, 9), RIGHT)
NO_DRIVER = DriverReport(False, Refusal("dlopen", -1, "libcuda.so.1: cannot open"), None, None, None, None)
CUDART = Library("cudart", "libcudart.so.12", None, (12, 9), 0)
NVRTC = Library("nvrtc", "libnvrtc.so.12", None, None, None)
COMPILER = CompilerReport((12, 9), None, RIGHT)
REPORT = GpuReport(DRIVER, (CUDART, NVRTC), COMPILER)


def judged(report: GpuReport | None, needs: CudaNeeds | None = NEEDS, no_device: str | None = None) -> GpuCheck:
    return judge(GpuRun(report, None if report else "it ended with status 139", no_device, 1.0), needs)


def said(check: GpuCheck) -> str:
    return " ".join(finding.message for finding in check.findings)


def test_both_halves_work() -> None:
    check = judged(REPORT)
    assert (check.verdict, check.findings) == (Verdict.FITS, ())


def test_without_a_driver_it_could_not_tell() -> None:
    check = judged(GpuReport(NO_DRIVER, (replace(CUDART, devices=35), NVRTC), replace(COMPILER, kernel=None)))
    assert check.verdict is Verdict.UNKNOWN
    assert check.verdict.exit_code is ExitCode.COULD_NOT_TELL
    assert "this image needs driver ≥ 525.60.13; there is no NVIDIA driver in the container" in said(check)
    assert all(finding.remedy for finding in check.findings)


def test_an_engine_without_gpus_it_could_not_tell() -> None:
    check = judged(replace(REPORT, driver=NO_DRIVER), no_device='could not select device driver "nvidia"')
    assert check.verdict is Verdict.UNKNOWN
    assert "the engine has no GPU to hand in: could not select" in said(check)


def test_a_driver_without_a_device_it_could_not_tell() -> None:
    driver = replace(DRIVER, devices=0, kernel=None, capability=None)
    assert judged(replace(REPORT, driver=driver)).verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("driver", "words"),
    [
        (replace(DRIVER, error=Refusal("cuInit", 803, "MISMATCH"), devices=None, kernel=None), "cuInit: MISMATCH"),
        (
            replace(DRIVER, kernel=KernelRun(right=False, error=Refusal("cuLaunchKernel", 700, "X"))),
            "does not run",
        ),
        (replace(DRIVER, kernel=KernelRun(right=False, error=None)), "its results are wrong"),
        (replace(DRIVER, kernel=None), "its results are wrong"),
    ],
)
def test_the_host_is_wrong(driver: DriverReport, words: str) -> None:
    check = judged(replace(REPORT, driver=driver))
    assert check.verdict is Verdict.HOST_WRONG
    assert check.verdict.exit_code is ExitCode.COULD_NOT_TELL
    assert words in said(check)


def test_a_driver_too_old_for_the_runtime() -> None:
    check = judged(replace(REPORT, libraries=(replace(CUDART, devices=35),)))
    assert check.verdict is Verdict.HOST_WRONG
    assert "too old for the image's CUDA runtime 12.9" in said(check)


def test_a_driver_too_old_for_the_image_s_ptx() -> None:
    refused = KernelRun(right=False, error=Refusal("cuModuleLoadData", 222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"))
    check = judged(replace(REPORT, compiler=replace(COMPILER, kernel=refused)))
    assert check.verdict is Verdict.HOST_WRONG
    assert "knows CUDA up to 12.4 and refuses what the image's NVRTC 12.9 compiles" in said(check)


@pytest.mark.parametrize("driver", [DRIVER, NO_DRIVER])
@pytest.mark.parametrize(
    ("libraries", "compiler"),
    [
        ((replace(CUDART, error="libfoo.so: cannot open"),), None),
        ((CUDART, NVRTC), replace(COMPILER, error=Refusal("nvrtcCompileProgram", 6, "X"), kernel=None)),
    ],
)
def test_the_image_is_wrong_with_or_without_a_gpu(
    driver: DriverReport, libraries: tuple[Library, ...], compiler: CompilerReport | None
) -> None:
    check = judged(GpuReport(driver, libraries, compiler))
    assert check.verdict is Verdict.IMAGE_WRONG
    assert check.verdict.exit_code is ExitCode.PLUGIN_AT_FAULT


def test_code_of_the_image_s_compiler_that_does_not_run_is_the_image_s_fault() -> None:
    refused = KernelRun(right=False, error=Refusal("cuModuleLoadData", 218, "CUDA_ERROR_INVALID_PTX"))
    check = judged(replace(REPORT, compiler=replace(COMPILER, kernel=refused)))
    assert check.verdict is Verdict.IMAGE_WRONG


def test_a_library_that_no_wheel_brings_is_the_image_s_fault_unless_it_is_there() -> None:
    sentence = "cupy-cuda12x compiles its kernels with NVRTC, and no wheel brings nvidia-cuda-nvrtc"
    needs = replace(NEEDS, lacking=(sentence,))
    assert judged(GpuReport(NO_DRIVER, (CUDART,), None), needs).verdict is Verdict.IMAGE_WRONG
    assert judged(REPORT, needs).verdict is Verdict.FITS


def test_one_of_two_libraries_is_not_enough() -> None:
    sentence = "onnxruntime-gpu loads cuBLAS and cuDNN …, and no wheel brings nvidia-cublas and nvidia-cudnn"
    libraries = (CUDART, Library("cublas", "libcublas.so.12", None, None, None))
    check = judged(GpuReport(DRIVER, libraries, None), replace(NEEDS, lacking=(sentence,)))
    assert check.verdict is Verdict.IMAGE_WRONG


def test_a_check_that_died_could_not_tell() -> None:
    check = judged(None)
    assert (check.verdict, "status 139" in said(check)) == (Verdict.UNKNOWN, True)


def test_the_document() -> None:
    assert judged(REPORT).to_json() == {"verdict": "fits", "seconds": 1.0, "findings": []}


def required(monkeypatch: pytest.MonkeyPatch, check: GpuCheck) -> None:
    monkeypatch.setattr(gpu, "check_gpu", lambda *_: check)
    gpu.require_gpu(None, "sha256:" + "0" * 64, GPU_POLICY, SilentReporter())  # type: ignore[arg-type]


def test_a_plugin_runs_only_where_a_kernel_ran(monkeypatch: pytest.MonkeyPatch) -> None:
    required(monkeypatch, judged(REPORT))
    with pytest.raises(gpu.GpuUnavailable, match="no NVIDIA driver in the container") as host:
        required(monkeypatch, judged(replace(REPORT, driver=NO_DRIVER)))
    assert host.value.exit_code is ExitCode.COULD_NOT_TELL
    with pytest.raises(PluginFault, match="does not load") as image:
        required(monkeypatch, judged(replace(REPORT, libraries=(replace(NVRTC, error="not found"),))))
    assert image.value.exit_code is ExitCode.PLUGIN_AT_FAULT
