"""What an image can run: the interpreter and the platform that wheels are chosen for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from toolchain.core.errors import EngineRefused

if TYPE_CHECKING:
    from packaging.tags import Tag

# The engines' names of a platform on the left, Python's on the right.
MACHINES: Final = {"amd64": "x86_64", "arm64": "aarch64"}
# PEP 599, 571 and 513 named these before PEP 600 put the version into the tag.
_LEGACY: Final = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_OLDEST: Final = {"x86_64": 5, "aarch64": 17}


@dataclass(frozen=True)
class Target:
    """``python`` and ``glibc`` are versions ("3.11.2", "2.36"), ``architecture`` is the engine's ("amd64")."""

    python: str
    glibc: str
    architecture: str

    @property
    def machine(self) -> str:
        """Python's name of the architecture (``x86_64``, ``aarch64``). Raises ``EngineRefused`` for any other."""
        if self.architecture not in MACHINES:
            raise EngineRefused(
                f"the engine runs on {self.architecture}, and images are made for {' and '.join(MACHINES)} only",
                remedy="name an engine on one of these with DOCKER_HOST",
            )
        return MACHINES[self.architecture]

    @property
    def minor(self) -> tuple[int, int]:
        """The interpreter's version as wheels name it: (3, 11)."""
        major, minor = self.python.split(".")[:2]
        return int(major), int(minor)

    @property
    def uv_platform(self) -> str:
        """The platform in uv's words."""
        return f"{self.machine}-manylinux_{self.glibc.replace('.', '_')}"

    def to_json(self) -> dict[str, str]:
        """The target as it enters keys and records."""
        return {"python": self.python, "glibc": self.glibc, "architecture": self.architecture}

    @property
    def marker_environment(self) -> dict[str, str]:
        """What environment markers are evaluated with: the image's, never the host's."""
        major, minor = self.minor
        return {
            "python_version": f"{major}.{minor}",
            "python_full_version": self.python,
            "implementation_name": "cpython",
            "implementation_version": self.python,
            "platform_python_implementation": "CPython",
            "os_name": "posix",
            "sys_platform": "linux",
            "platform_system": "Linux",
            "platform_machine": self.machine,
            "platform_release": "",
            "platform_version": "",
        }

    @cached_property
    def ranks(self) -> dict[Tag, int]:
        """Every wheel tag that the image can use, best first (rank 0)."""
        from packaging.tags import compatible_tags, cpython_tags

        major, minor = self.minor
        platforms = list(self._platforms())
        # Named, since packaging would otherwise ask how the host's own interpreter was built.
        abi = f"cp{major}{minor}"
        tags = [
            *cpython_tags((major, minor), [abi], platforms),
            *compatible_tags((major, minor), abi, platforms),
        ]
        return {tag: rank for rank, tag in reversed(list(enumerate(tags)))}

    def _platforms(self) -> Iterator[str]:
        newest = int(self.glibc.split(".")[1])
        for version in range(newest, _OLDEST[self.machine] - 1, -1):
            yield f"manylinux_2_{version}_{self.machine}"
            if version in _LEGACY:
                yield f"{_LEGACY[version]}_{self.machine}"
