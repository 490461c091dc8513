"""Other builders of images for ML Python, each driven as its manual says, from an environment of its own.

Both write a Dockerfile, which the docker command then builds with the host's network: their own last step needs
buildx, and build containers cannot reach the index otherwise. Both times count: theirs, and the engine's.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from toolchain.core.containers import ContainerEngine
from toolchain.core.errors import ProcessFailed
from toolchain.core.process import run

_SECONDS = 900.0


class Peer(Protocol):
    """A builder: its name, and how it turns requirements and one line of code into a folder to build."""

    name: str

    def context(self, requirements: Sequence[str], line: str) -> tuple[Path, Path]:
        """Run the peer's program; returns the build context and its Dockerfile."""
        ...


@dataclass(frozen=True)
class Place:
    """Where a peer is installed, where it may write, and the image that it starts from."""

    program: Path
    folder: Path
    base: str

    def run(self, *arguments: str, environment: Mapping[str, str]) -> str:
        """What the peer's program prints. Raises ``ProcessFailed``."""
        settings = {**os.environ, "HOME": str(self.folder), **environment}
        return _run([str(self.program), *arguments], self.folder, settings)


class BentoML:
    """``bentoml build``, then the Dockerfile of the bento."""

    name = "bentoml"

    def __init__(self, place: Place) -> None:
        self._place = place

    def context(self, requirements: Sequence[str], line: str) -> tuple[Path, Path]:
        """A bento of one service."""
        folder, home = self._place.folder / "service", self._place.folder / "bentos"
        folder.mkdir(exist_ok=True)
        (folder / "service.py").write_text(
            f"import bentoml\n\n{line}\n\n@bentoml.service\nclass Probe:\n    @bentoml.api\n"
            "    def run(self, text: str) -> str:\n        return text\n"
        )
        packages = ", ".join(f'"{one}"' for one in requirements)
        (folder / "bentofile.yaml").write_text(
            f'service: "service:Probe"\ninclude: ["*.py"]\ndocker:\n  base_image: {self._place.base}\n'
            f"python:\n  packages: [{packages}]\n  lock_packages: false\n"
        )
        environment = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
        said = self._place.run("build", str(folder), "--output", "tag", environment=environment)
        name, _, version = said.strip().splitlines()[-1].removeprefix("__tag__:").partition(":")
        bento = home / "bentos" / name / version
        return bento, bento / "env/docker/Dockerfile"


class Truss:
    """``truss image build-context``, then its Dockerfile."""

    name = "truss"

    def __init__(self, place: Place) -> None:
        self._place = place

    def context(self, requirements: Sequence[str], line: str) -> tuple[Path, Path]:
        """A truss of one model."""
        folder, context = self._place.folder / "truss", self._place.folder / "context"
        (folder / "model").mkdir(parents=True, exist_ok=True)
        (folder / "model" / "__init__.py").touch()
        (folder / "model" / "model.py").write_text(
            f"{line}\n\nclass Model:\n    def __init__(self, **kwargs):\n        pass\n\n"
            "    def predict(self, request):\n        return request\n"
        )
        packages = ", ".join(f'"{one}"' for one in requirements)
        (folder / "config.yaml").write_text(
            f"model_name: probe\npython_version: py311\nrequirements: [{packages}]\nbase_image:\n"
            f"  image: {self._place.base}\n  python_executable_path: /usr/bin/python3\n"
        )
        shutil.rmtree(context, ignore_errors=True)
        arguments = ["image", "build-context", str(context), str(folder), "--non-interactive"]
        self._place.run(*arguments, environment={})
        return context, context / "Dockerfile"


PEERS: Mapping[str, Callable[[Place], Peer]] = {"bentoml": BentoML, "truss": Truss}


@dataclass(frozen=True)
class PeerBuilder:
    """Builds a peer's contexts with the docker command, on the engine that is measured."""

    peer: Peer
    engine: ContainerEngine

    @property
    def tag(self) -> str:
        """The name of what is built."""
        return f"mixpeek-benchmark/{self.peer.name}:1"

    def build(self, requirements: Sequence[str], line: str, *, cold: bool = False) -> float:
        """Seconds from the changed source to the image; ``cold`` uses no layer of an earlier build."""
        started = time.perf_counter()
        context, dockerfile = self.peer.context(requirements, line)
        fresh = ["--no-cache"] if cold else []
        options = ["--quiet", "--network", "host", "--tag", self.tag, "--file", str(dockerfile)]
        environment = {**os.environ, "DOCKER_HOST": self.engine.address, "DOCKER_BUILDKIT": "0"}
        _run(["docker", "build", *options, *fresh, str(context)], context, environment)
        return time.perf_counter() - started

    def size(self) -> int:
        """Bytes of the image, its base included."""
        return int(self.engine.client.api.inspect_image(self.tag)["Size"])  # type: ignore[no-untyped-call]


def _run(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    completed = run(argv, timeout=_SECONDS, cwd=folder, env=environment)
    if not completed.ok:
        raise ProcessFailed(
            f"{' '.join(argv[:3])} failed: {(completed.stdout + completed.stderr)[-800:]}",
            remedy="run it by hand; build containers need the host's network and a way to the package index",
        )
    return completed.stdout
