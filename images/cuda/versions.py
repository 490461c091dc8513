"""Versions of CUDA and of NVIDIA's Linux driver, and the published facts that tie one to the other.

Sources: the tables "Minimum Required Driver Version for CUDA Minor Version Compatibility" and "CUDA Toolkit and
Corresponding Driver Versions" in NVIDIA's CUDA Toolkit release notes (12.5.1, 13.1 to 13.3), and the page "Minor
Version Compatibility" at https://docs.nvidia.com/deploy/cuda-compatibility/minor-version-compatibility.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

# A program built with any minor version of a major line runs, with limits, from this driver on.
_LEAST: Final = {11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}

# The driver that first knows a version entirely: the one that its first release was published with. An older one
# of the same line refuses what only the newer version has, its PTX above all (CUDA_ERROR_UNSUPPORTED_PTX_VERSION).
# 12.7 was never released as a toolkit; what is not here was not published when this was written.
_NATIVE: Final = {
    (11, 8): "520.61.05",
    (12, 0): "525.60.13",
    (12, 1): "530.30.02",
    (12, 2): "535.54.03",
    (12, 3): "545.23.06",
    (12, 4): "550.54.14",
    (12, 5): "555.42.02",
    (12, 6): "560.28.03",
    (12, 8): "570.26",
    (12, 9): "575.51.03",
    (13, 0): "580.65.06",
    (13, 1): "590.44.01",
    (13, 2): "595.45.04",
    (13, 3): "610.43.02",
}

# The oldest devices that a line's libraries and compilers still serve. 11: cuFFT's notes on 11.0; 12: the same on
# 12.0 ("The minimum required architecture is SM50"); 13: "Deprecated Architectures" in the release notes of 12.9
# and 13.0 (Maxwell, Pascal and Volta removed, Turing stays).
_CAPABILITY: Final = {11: (3, 5), 12: (5, 0), 13: (7, 5)}

_VERSION: Final = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,3}))?")


@dataclass(frozen=True, order=True)
class CudaVersion:
    """A line of CUDA: ``minor`` is -1 where only the major version is known."""

    major: int
    minor: int = -1

    def __str__(self) -> str:
        return f"{self.major}" if self.minor < 0 else f"{self.major}.{self.minor}"

    @property
    def least_driver(self) -> str | None:
        """The oldest driver that runs programs of this major line, ``None`` if we know of none."""
        return _LEAST.get(self.major)

    @property
    def native_driver(self) -> str | None:
        """The oldest driver that knows this version entirely, ``None`` if it is not in our table."""
        return _NATIVE.get((self.major, self.minor))

    @property
    def least_capability(self) -> tuple[int, int] | None:
        """The oldest compute capability that this line's libraries serve, ``None`` if we do not know."""
        return _CAPABILITY.get(self.major)


def parse_cuda(text: str) -> CudaVersion | None:
    """The version in ``text`` ("12", "12.9"), ``None`` for anything else."""
    match = _VERSION.fullmatch(text)
    if match is None:
        return None
    return CudaVersion(int(match[1]), -1 if match[2] is None else int(match[2]))


def driver_key(version: str) -> tuple[int, ...]:
    """A driver's version in a form that compares: "570.26" is older than "570.124.06"."""
    return tuple(int(part) for part in re.findall(r"\d+", version))
