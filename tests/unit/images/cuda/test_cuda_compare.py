"""Image against machine: whose fault, in which words, and never a pass without a GPU."""

from dataclasses import replace

import pytest

from images.cuda import CudaNeeds, CudaVersion, Verdict, compare
from toolchain.core.errors import ExitCode
from toolchain.core.findings import Severity
from toolchain.core.gpu import Absence, Device, GpuHost, Memory, Mig, NoGpuHost

GIB = 1 << 30
L4 = Device(0, "NVIDIA L4", Memory(23 * GIB, 22 * GIB), (8, 9), Mig.NOT_OFFERED)
A100 = Device(0, "NVIDIA A100", Memory(80 * GIB, 80 * GIB), (8, 0), Mig.ON, (Memory(10 * GIB, 10 * GIB),) * 2)
HOST = GpuHost("580.82.07", (13, 0), (L4,))
CUDA_12 = CudaNeeds(CudaVersion(12, 9), ("cupy-cuda12x 14.2.0",), (5, 0))
CUDA_13 = CudaNeeds(CudaVersion(13, 2), ("torch 2.15.0",), (7, 5), untold=("torch",))
NO_DRIVER = NoGpuHost(Absence.NO_DRIVER, "no NVIDIA driver on this machine", "use another")


def rules(comparison):
    return {finding.rule: finding.severity for finding in comparison.findings}


def message(comparison, rule):
    return next(finding.message for finding in comparison.findings if finding.rule == rule)


def test_a_machine_that_fits():
    comparison = compare(CUDA_12, HOST, memory_gb=16)
    assert (comparison.verdict, comparison.findings) == (Verdict.FITS, ())
    assert comparison.verdict.exit_code is ExitCode.PASSED


@pytest.mark.parametrize(
    ("needs", "driver", "cuda", "least"),
    [
        (CUDA_12, "470.256.02", (11, 4), "525.60.13"),
        (CUDA_12, "525.60.11", (12, 0), "525.60.13"),
        (CUDA_13, "575.57.08", (12, 9), "580.65.06"),
        (CUDA_13, "580.9.1", (13, 0), "580.65.06"),
    ],
)
def test_a_driver_too_old_is_the_host_s_fault(needs, driver, cuda, least):
    comparison = compare(needs, replace(HOST, driver=driver, cuda=cuda))
    assert comparison.verdict is Verdict.HOST_WRONG
    assert comparison.verdict.exit_code is ExitCode.COULD_NOT_TELL
    words = f"this image needs driver ≥ {least} (CUDA {needs.version}); this host has {driver}"
    assert message(comparison, "gpu.driver") == words
    assert all(finding.remedy for finding in comparison.findings)


def test_the_oldest_driver_of_the_line_runs_it_with_limits():
    comparison = compare(CUDA_12, replace(HOST, driver="525.60.13", cuda=(12, 0)))
    assert comparison.verdict is Verdict.FITS
    assert rules(comparison) == {"gpu.driver-native": Severity.WARNING}
    assert "PTX of 12.9 is refused" in message(comparison, "gpu.driver-native")
    assert "driver ≥ 575.51.03" in comparison.findings[0].remedy


def test_a_native_driver_that_we_do_not_know_is_not_named():
    needs = replace(CUDA_13, version=CudaVersion(13, 5), untold=())
    (finding,) = compare(needs, HOST).findings
    assert "need a newer driver" in finding.remedy


def test_a_newer_line_s_driver_runs_an_older_line():
    assert compare(CUDA_12, replace(HOST, driver="610.43.02", cuda=(13, 3))).findings == ()


@pytest.mark.parametrize(
    "host", [NO_DRIVER, NoGpuHost(Absence.NO_BINDING, "no binding", "install it"), replace(HOST, devices=())]
)
@pytest.mark.parametrize(("needs", "memory"), [(CUDA_12, None), (CUDA_13, 8), (None, 8)])
def test_without_a_gpu_nothing_passes(host, needs, memory):
    comparison = compare(needs, host, memory_gb=memory)
    assert comparison.verdict is Verdict.UNKNOWN
    assert comparison.verdict.exit_code is ExitCode.COULD_NOT_TELL
    if needs:
        assert f"this image needs driver ≥ {needs.least_driver}" in comparison.findings[0].message


def test_a_broken_driver_is_the_host_s_fault():
    broken = NoGpuHost(Absence.BROKEN, "the NVIDIA driver does not answer: mismatch", "repair it")
    assert compare(CUDA_12, broken).verdict is Verdict.HOST_WRONG


def test_an_image_without_cuda_fits_everywhere():
    assert compare(None, NO_DRIVER).verdict is Verdict.FITS


def test_a_device_too_old():
    comparison = compare(CUDA_13, replace(HOST, devices=(replace(L4, capability=(7, 0)),)))
    assert comparison.verdict is Verdict.HOST_WRONG
    words = "this image needs compute capability ≥ 7.5; this host has 7.0"
    assert message(comparison, "gpu.capability") == words


def test_the_oldest_device_that_is_still_served():
    host = replace(HOST, devices=(replace(L4, capability=(7, 5)),))
    assert compare(replace(CUDA_13, untold=()), replace(host, cuda=(13, 2))).findings == ()


def test_one_device_of_two_suffices_and_its_memory_counts():
    old = replace(L4, index=1, capability=(7, 0), memory=Memory(80 * GIB, 80 * GIB))
    host = replace(HOST, devices=(old, L4))
    assert compare(replace(CUDA_13, untold=()), host).verdict is Verdict.FITS
    # The large device is the old one: what it has does not count.
    assert compare(CUDA_13, host, memory_gb=40).verdict is Verdict.HOST_WRONG


def test_packages_that_may_ask_for_more_are_named():
    comparison = compare(replace(CUDA_12, untold=("torch",)), HOST)
    assert comparison.verdict is Verdict.FITS
    assert "torch may ask for more" in message(comparison, "gpu.capability")


@pytest.mark.parametrize(
    ("memory", "wanted", "verdict", "words"),
    [
        (Memory(23 * GIB, 23 * GIB), 24, Verdict.FITS, ""),
        (Memory(16 * GIB, 2 * GIB), 12, Verdict.HOST_WRONG, "at most 2.1 GB are free now"),
        (Memory(16 * GIB, 16 * GIB), 40, Verdict.HOST_WRONG, "the largest device here has 17.2 GB"),
        (Memory(15 * GIB, 15 * GIB), 16, Verdict.FITS, ""),
        (None, 8, Verdict.UNKNOWN, "does not tell"),
    ],
)
def test_memory_against_the_manifest(memory, wanted, verdict, words):
    comparison = compare(CUDA_12, replace(HOST, devices=(replace(L4, memory=memory),)), memory_gb=wanted)
    assert comparison.verdict is verdict
    assert words in "".join(finding.message for finding in comparison.findings)


def test_with_mig_an_instance_s_memory_counts_not_the_device_s():
    host = replace(HOST, devices=(A100,))
    assert compare(CUDA_12, host, memory_gb=10).verdict is Verdict.FITS
    comparison = compare(CUDA_12, host, memory_gb=40)
    assert comparison.verdict is Verdict.HOST_WRONG
    assert "the largest device here has 10.7 GB" in message(comparison, "gpu.memory")
    assert "one of its 2 instances" in message(comparison, "gpu.mig")


@pytest.mark.parametrize("count", [1, 2])
def test_mig_without_an_instance_is_no_gpu(count):
    empty = replace(A100, instances=())
    comparison = compare(CUDA_12, replace(HOST, devices=(empty,) * count))
    assert comparison.verdict is Verdict.HOST_WRONG
    assert rules(comparison) == {"gpu.mig": Severity.ERROR}


def test_an_empty_mig_device_beside_a_whole_one_is_worth_a_warning():
    comparison = compare(CUDA_12, replace(HOST, devices=(replace(A100, instances=()), L4)))
    assert (comparison.verdict, rules(comparison)) == (Verdict.FITS, {"gpu.mig": Severity.WARNING})


@pytest.mark.parametrize("version", [None, CudaVersion(14, 0), CudaVersion(9, 2)])
def test_a_line_that_we_do_not_know_never_passes(version):
    comparison = compare(CudaNeeds(version, ("nvidia-cufft 12.2.0.57",)), HOST)
    assert comparison.verdict is Verdict.UNKNOWN
    assert rules(comparison) == {"gpu.cuda-line": Severity.UNKNOWN}


def test_missing_libraries_are_said_and_do_not_decide():
    comparison = compare(replace(CUDA_12, lacking=("cupy-cuda12x compiles …",)), HOST)
    assert (comparison.verdict, rules(comparison)) == (Verdict.FITS, {"gpu.libraries": Severity.WARNING})


def test_the_document():
    assert compare(CUDA_12, NO_DRIVER).to_json() == {
        "verdict": "could-not-tell",
        "cuda": "12.9",
        "least_driver": "525.60.13",
        "native_driver": "575.51.03",
        "host_driver": None,
        "findings": [
            {
                "severity": "unknown",
                "rule": "gpu.driver",
                "message": "this image needs driver ≥ 525.60.13; no NVIDIA driver on this machine",
                "remedy": "use another",
                "file": None,
                "line": None,
            }
        ],
    }
