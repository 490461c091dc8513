"""What single wheels say about CUDA: by their names, and by versions where those follow CUDA's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Protocol

from images.cuda.versions import CudaVersion


class Wheel(Protocol):
    """As much of a locked wheel as is looked at; ``name`` is normalised (PEP 503)."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...


@dataclass(frozen=True)
class Evidence:
    """A wheel that needs CUDA, and the line it names; ``None`` when it does not tell."""

    package: str
    version: str
    cuda: CudaVersion | None

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


# Released with the toolkit and numbered like it (12.9.79 is of 12.9). The runtime is what programs are built
# against, NVRTC what they compile with at run time: these two say which driver knows everything that may come up.
_NUMBERED_LIKE_CUDA: Final = frozenset({"cuda-toolkit", "nvidia-cuda-nvrtc", "nvidia-cuda-runtime"})
# Numbered like CUDA too, but often newer than what uses them (nvJitLink 13.5 beside a runtime of 13.2).
_MAJOR_LIKE_CUDA: Final = frozenset(
    {
        "cuda-bindings",
        "cuda-python",
        "nvidia-cublas",
        "nvidia-cuda-cccl",
        "nvidia-cuda-crt",
        "nvidia-cuda-cupti",
        "nvidia-cuda-nvcc",
        "nvidia-nvfatbin",
        "nvidia-nvjitlink",
        "nvidia-nvtx",
        "nvidia-nvvm",
    }
)
# Since CUDA 13 without a suffix, with version numbers of their own: CUDA, but which is left to the others to say.
_NUMBERED_ALONE: Final = frozenset(
    {
        "nvidia-cufft",
        "nvidia-cufile",
        "nvidia-curand",
        "nvidia-cusolver",
        "nvidia-cusparse",
        "nvidia-npp",
        "nvidia-nvjpeg",
    }
)
# "-cu12", "-cuda12x", "-cuda120", "-cuda13-plugin"; local versions "+cu126".
_SUFFIX: Final = re.compile(r"-cu(?:da)?(\d{2,3})x?(?=-|$)")
_LOCAL: Final = re.compile(r"\+(?:.*\.)?cu(\d{2,3})(?=\.|$)")
_NUMBERS: Final = re.compile(r"(\d+)\.(\d+)")


def evidence(wheels: Iterable[Wheel]) -> tuple[Evidence, ...]:
    """Every wheel of ``wheels`` that has to do with CUDA, in their order."""
    found = (_of(wheel) for wheel in wheels)
    return tuple(one for one in found if one is not None)


def _of(wheel: Wheel) -> Evidence | None:
    name, version = wheel.name, wheel.version
    if match := _LOCAL.search(version):
        return Evidence(name, version, _digits(match[1]))
    suffix = _SUFFIX.search(name)
    plain = name[: suffix.start()] if suffix else name
    named = _digits(suffix[1]) if suffix else None
    numbers = _NUMBERS.match(version)
    own = CudaVersion(int(numbers[1]), int(numbers[2])) if numbers else None
    if plain in _NUMBERED_LIKE_CUDA and _agree(own, named):
        return Evidence(name, version, own)
    if named is not None:
        return Evidence(name, version, named)
    if plain in _MAJOR_LIKE_CUDA and own is not None and own.major:
        return Evidence(name, version, CudaVersion(own.major))
    if plain in _NUMBERED_ALONE:
        return Evidence(name, version, None)
    return _onnxruntime(wheel, own) if name == "onnxruntime-gpu" else None


def _agree(own: CudaVersion | None, named: CudaVersion | None) -> bool:
    # Placeholders on the index carry a suffix and the version 0.0.1: there only the suffix counts.
    return own is not None and own.major > 0 and (named is None or named.major == own.major)


def _digits(text: str) -> CudaVersion:
    """The line in the digits of a name: 12 is 12, 126 is 12.6, and the 92 of old names is 9.2."""
    if len(text) == 3:
        return CudaVersion(int(text[:2]), int(text[2]))
    return CudaVersion(int(text)) if int(text) < 80 else CudaVersion(int(text[0]), int(text[1]))


def _onnxruntime(wheel: Wheel, own: CudaVersion | None) -> Evidence:
    """Built for CUDA 12 from 1.19 on, for 13 from 1.28 on; 1.27 was not seen on the index.

    Sources: "CUDA Execution Provider" in its documentation (1.19), the extra ``cuda`` of its wheels (1.22, 1.23,
    1.24, 1.26: nvidia-cuda-runtime-cu12; 1.28 and 1.31: nvidia-cuda-runtime 13).
    """
    release = (own.major, own.minor) if own else (0, 0)
    cuda = CudaVersion(12) if (1, 19) <= release <= (1, 26) else CudaVersion(13) if release >= (1, 28) else None
    return Evidence(wheel.name, wheel.version, cuda)
