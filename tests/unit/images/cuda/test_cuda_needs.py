"""From names and versions of wheels to the CUDA that they need, the driver, and the conflict of two lines."""

from typing import NamedTuple

import pytest

from images.cuda import CudaVersion, cuda_needs
from toolchain.core.errors import DependencyFault, ExitCode


class Wheel(NamedTuple):
    name: str
    version: str


def needs(*wheels):
    return cuda_needs(Wheel(*wheel.split("==")) for wheel in wheels)


@pytest.mark.parametrize(
    ("wheels", "version"),
    [
        (("nvidia-cuda-runtime-cu12==12.9.79",), "12.9"),
        (("nvidia-cuda-runtime-cu11==11.8.89",), "11.8"),
        (("nvidia-cuda-runtime==13.5.37",), "13.5"),
        (("cuda-toolkit==12.9.2.0",), "12.9"),
        (("cupy-cuda12x==14.2.0",), "12"),
        (("cupy-cuda13x==14.2.0",), "13"),
        (("cupy-cuda112==10.6.0",), "11.2"),
        (("cupy-cuda92==9.6.0",), "9.2"),
        (("nvidia-cublas==13.4.1.3",), "13"),
        (("nvidia-cudnn-cu13==9.26.0.51",), "13"),
        (("jax-cuda13-plugin==0.12.0.1", "jax-cuda13-pjrt==0.12.0.1"), "13"),
        (("torch==2.6.0+cu126",), "12.6"),
        (("torch==2.6.0+cu118",), "11.8"),
        (("torch==2.9.0+git1.cu130",), "13.0"),
        (("onnxruntime-gpu==1.23.2",), "12"),
        (("onnxruntime-gpu==1.31.1",), "13"),
        # a placeholder on the index: only its suffix counts
        (("nvidia-cuda-runtime-cu13==0.0.1",), "13"),
    ],
)
def test_the_line_of_one_package(wheels, version):
    assert str(needs(*wheels).version) == version


@pytest.mark.parametrize(
    "wheel", ["onnxruntime-gpu==1.18.1", "onnxruntime-gpu==1.27.0", "nvidia-cufft==12.2.0.57"]
)
def test_a_line_that_nothing_tells_is_not_guessed(wheel):
    found = needs(wheel)
    assert (found.version, found.least_driver, found.capability) == (None, None, None)


@pytest.mark.parametrize(
    "wheel",
    [
        "torch==2.6.0+cpu",
        "nvidia-ml-py==13.615.71",
        "cuda-pathfinder==1.9.0",
        "onnxruntime==1.31.1",
        "tensorflow==2.21.0",
        "cucumber==1.0",
        # a placeholder on the index
        "nvidia-cuda-runtime==0.0.1.dev5",
        "focus12==1.0",
        "numpy==2.4.6",
    ],
)
def test_what_has_nothing_to_do_with_cuda(wheel):
    assert needs(wheel) is None


def test_torch_from_the_public_index_by_its_companions():
    found = needs(
        "torch==2.15.0", "triton==3.9.0", "cuda-toolkit==13.2.2", "cuda-bindings==13.5.0", "numpy==2.4.6",
        "nvidia-cuda-runtime==13.2.86", "nvidia-cuda-nvrtc==13.2.86", "nvidia-cufft==12.2.0.57",
        "nvidia-cudnn-cu13==9.26.0.51", "nvidia-nvjitlink==13.5.37", "nvidia-cublas==13.4.1.3",
    )  # fmt: skip
    # nvJitLink is newer than what torch was built with: it must not raise the line.
    assert found.version == CudaVersion(13, 2)
    assert (found.least_driver, found.native_driver) == ("580.65.06", "595.45.04")
    assert found.untold == ("torch", "triton")
    assert "nvidia-cufft 12.2.0.57" in found.packages
    assert not any(package.startswith("numpy") for package in found.packages)


@pytest.mark.parametrize(
    ("version", "least", "native"),
    [
        ("11.8", "450.80.02", "520.61.05"),
        ("12.0", "525.60.13", "525.60.13"),
        ("12.4", "525.60.13", "550.54.14"),
        ("12.8", "525.60.13", "570.26"),
        ("12.9", "525.60.13", "575.51.03"),
        ("13.0", "580.65.06", "580.65.06"),
        ("13.3", "580.65.06", "610.43.02"),
        # newer than our table: the line's least driver still holds, the native one is not invented
        ("13.5", "580.65.06", None),
        ("14.0", None, None),
    ],
)
def test_the_drivers_of_a_line(version, least, native):
    suffix = "" if version >= "13" else f"-cu{version[:2]}"
    found = needs(f"nvidia-cuda-runtime{suffix}=={version}.79")
    assert (found.least_driver, found.native_driver) == (least, native)


@pytest.mark.parametrize(
    ("wheels", "capability"),
    [
        (("nvidia-cuda-runtime-cu11==11.8.89",), (3, 5)),
        (("nvidia-cuda-runtime-cu12==12.9.79",), (5, 0)),
        (("nvidia-cuda-runtime==13.0.48",), (7, 5)),
        (("nvidia-cuda-runtime-cu12==12.9.79", "jax-cuda12-plugin==0.12.0.1"), (5, 2)),
        (("cupy-cuda92==9.6.0",), None),
    ],
)
def test_the_oldest_device_where_it_is_documented(wheels, capability):
    assert needs(*wheels).capability == capability


def test_two_lines_are_a_conflict_that_names_both():
    with pytest.raises(DependencyFault) as caught:
        needs("cupy-cuda12x==14.2.0", "nvidia-cuda-runtime==13.2.86", "numpy==2.4.6")
    assert "cupy-cuda12x 14.2.0 needs CUDA 12" in caught.value.message
    assert "nvidia-cuda-runtime 13.2.86 needs CUDA 13" in caught.value.message
    assert "cupy-cuda12x for CUDA 13" in caught.value.remedy
    assert caught.value.exit_code is ExitCode.PLUGIN_AT_FAULT


def test_who_may_have_brought_a_library_is_named_too():
    with pytest.raises(DependencyFault) as caught:
        needs("torch==2.15.0", "cuda-toolkit==13.2.2", "cupy-cuda12x==14.2.0")
    assert "look at torch first" in caught.value.remedy


def test_of_each_line_the_package_that_says_most_is_named():
    with pytest.raises(DependencyFault) as caught:
        needs("cupy-cuda12x==14.2.0", "torch==2.6.0+cu126", "jax-cuda13-plugin==0.12")
    assert "torch 2.6.0+cu126 needs CUDA 12, jax-cuda13-plugin 0.12 needs CUDA 13" in caught.value.message


def test_minor_versions_of_one_line_are_no_conflict():
    assert needs("torch==2.6.0+cu126", "nvidia-cuda-nvrtc-cu12==12.9.86").version == CudaVersion(12, 9)


def test_libraries_that_are_loaded_late_are_missed_early():
    assert needs("cupy-cuda12x==14.2.0", "nvidia-cuda-runtime-cu12==12.9.79").lacking == (
        "cupy-cuda12x compiles its kernels with NVRTC, and no wheel brings nvidia-cuda-nvrtc",
    )
    assert needs("cupy-cuda12x==14.2.0", "nvidia-cuda-nvrtc-cu12==12.9.86").lacking == ()
    assert needs("cupy-cuda13x==14.2.0", "nvidia-cuda-nvrtc==13.2.86").lacking == ()
    assert needs("onnxruntime-gpu==1.31.1", "nvidia-cublas==13.4.1.3", "nvidia-cudnn-cu13==9.26").lacking == ()


def test_the_order_of_the_wheels_does_not_matter():
    wheels = ("torch==2.15.0", "nvidia-cuda-runtime==13.2.86", "nvidia-cudnn-cu13==9.26.0.51")
    assert needs(*wheels) == needs(*reversed(wheels))
