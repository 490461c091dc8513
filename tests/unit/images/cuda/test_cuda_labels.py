"""Labels carry the facts there and back, and strangers' labels do no harm."""

from typing import NamedTuple

import pytest

from images.cuda import cuda_labels, cuda_needs, needs_from_labels


class Wheel(NamedTuple):
    name: str
    version: str


CUPY = cuda_needs([Wheel("cupy-cuda12x", "14.2.0"), Wheel("nvidia-cuda-nvrtc-cu12", "12.9.86")])


def test_the_labels_of_a_cupy_image():
    assert cuda_labels(CUPY) == {
        "com.mixpeek.accelerator": "cuda",
        "com.mixpeek.cuda.version": "12.9",
        "com.mixpeek.cuda.least-driver": "525.60.13",
        "com.mixpeek.cuda.native-driver": "575.51.03",
        "com.mixpeek.cuda.packages": "cupy-cuda12x 14.2.0, nvidia-cuda-nvrtc-cu12 12.9.86",
        "com.mixpeek.cuda.compute-capability": "5.0",
    }


@pytest.mark.parametrize(
    "wheels",
    [
        (("torch", "2.6.0+cu126"), ("cupy-cuda12x", "14.2.0")),
        (("onnxruntime-gpu", "1.31.1"),),
        (("nvidia-cuda-runtime", "13.5.37"),),
        (("nvidia-cufft", "12.2.0.57"),),
        (("cupy-cuda92", "9.6.0"),),
    ],
)
def test_what_is_written_is_read(wheels):
    found = cuda_needs(Wheel(*wheel) for wheel in wheels)
    assert needs_from_labels(cuda_labels(found)) == found


def test_an_image_that_needs_none_says_so():
    assert cuda_labels(None) == {"com.mixpeek.accelerator": "cuda", "com.mixpeek.cuda.version": "none"}
    assert needs_from_labels(cuda_labels(None)) is None
    assert needs_from_labels({}) is None


def test_what_is_not_known_is_called_unknown():
    labels = cuda_labels(cuda_needs([Wheel("nvidia-cufft", "12.2.0.57")]))
    assert set(labels.values()) == {"cuda", "unknown", "nvidia-cufft 12.2.0.57"}


@pytest.mark.parametrize("version", ["", "12.", "12.9.1", "-1", "9999", "x" * 5000, "\uff11\uff12", "unknown"])
def test_a_version_that_is_none_of_ours_is_not_believed(version):
    found = needs_from_labels({"com.mixpeek.cuda.version": version})
    assert found.version is None


def test_labels_of_strangers_cannot_steer_a_terminal():
    found = needs_from_labels({
        "com.mixpeek.cuda.version": "12.9",
        "com.mixpeek.cuda.packages": "a\x1b[31m 1, b\n 2" + "x" * 10_000,
        "com.mixpeek.cuda.compute-capability": "9.0; rm",
    })  # fmt: skip
    assert "\x1b" not in "".join(found.packages)
    assert "\n" not in "".join(found.packages)
    assert len("".join(found.packages)) < 5000
    assert found.capability is None
