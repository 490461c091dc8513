"""Other builders of images for ML Python, each driven as its manual says, from an environment of its own.

Build containers get the host's network, since they cannot reach the index otherwise; all else is their default.
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


def settled() -> float:
    """The clock when all is written that was to be written: gigabytes of one build would slow the next."""
    os.sync()
    return time.perf_counter()


class Peer(Protocol):
    """A builder: its name, and its own way from requirements and one line of code to an image of that tag."""

    name: str

    def image(self, requirements: Sequence[str], line: str, tag: str) -> None:
        """Build."""
        ...


@dataclass(frozen=True)
class Place:
    """Where a peer is installed, where it may write, and the image that it starts from."""

    program: Path
    folder: Path
    base: str

    def run(self, *arguments: str, environment: Mapping[str, str]) -> str:
        """What the peer's program prints. Raises ``ProcessFailed``."""
        # HOME with the peer's own settings, of docker's none: its plugins are found from the usual place.
        settings = {**os.environ, "HOME": str(self.folder), "DOCKER_CONFIG": _docker_config(), **environment}
        return _run([str(self.program), *arguments], self.folder, settings)


def _docker_config() -> str:
    return os.environ.get("DOCKER_CONFIG", str(Path.home() / ".docker"))


class BentoML:
    """``bentoml build``, then ``bentoml containerize``."""

    name = "bentoml"

    def __init__(self, place: Place) -> None:
        self._place = place

    def image(self, requirements: Sequence[str], line: str, tag: str) -> None:
        """A bento of one service, and its image."""
        folder, home = self._place.folder / "service", self._place.folder / "bentos"
        folder.mkdir(exist_ok=True)
        (folder / "service.py").write_text(
            f"import bentoml\n\n{line}\n\n@bentoml.service\nclass Probe:\n    @bentoml.api\n"
            "    def run(self, text: str) -> str:\n        return text\n"
        )
        packages = ", ".join(f'"{one}"' for one in requirements)
        (folder / "bentofile.yaml").write_text(
            f'service: "service:Probe"\ninclude: ["*.py"]\ndocker:\n  base_image: {self._place.base}\n'
            f"python:\n  packages: [{packages}]\n"
        )
        environment = {"BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
        said = self._place.run("build", str(folder), "--output", "tag", environment=environment)
        bento = said.strip().splitlines()[-1].removeprefix("__tag__:")
        options = ["--backend", "docker", "--opt", "network=host", "--image-tag", tag]
        self._place.run("containerize", bento, *options, environment=environment)


class Truss:
    """``truss image build``."""

    name = "truss"

    def __init__(self, place: Place) -> None:
        self._place = place

    def image(self, requirements: Sequence[str], line: str, tag: str) -> None:
        """A truss of one model, and its image."""
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
        options = ["--tag", tag, "--use_host_network", "--non-interactive"]
        self._place.run("image", "build", str(folder), str(context), *options, environment={})


PEERS: Mapping[str, Callable[[Place], Peer]] = {"bentoml": BentoML, "truss": Truss}


@dataclass(frozen=True)
class PeerBuilder:
    """Has a peer build on the engine that is measured."""

    peer: Peer
    engine: ContainerEngine

    @property
    def tag(self) -> str:
        """The name of what is built."""
        return f"mixpeek-benchmark/{self.peer.name}:1"

    def build(self, requirements: Sequence[str], line: str, *, cold: bool = False) -> float:
        """Seconds from the changed source to the image; ``cold`` finds nothing of an earlier build."""
        if cold:
            self.engine.client.api.prune_builds(all=True)
        started = settled()
        self.peer.image(requirements, line, self.tag)
        return time.perf_counter() - started

    def size(self) -> int:
        """Bytes of the image, its base included."""
        return int(self.engine.client.api.inspect_image(self.tag)["Size"])  # type: ignore[no-untyped-call]


def _run(argv: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    completed = run(argv, timeout=_SECONDS, cwd=folder, env=environment)
    if not completed.ok:
        raise ProcessFailed(
            f"{' '.join(argv[:3])} failed: {(completed.stdout + completed.stderr)[-800:]}",
            remedy="run it by hand; it needs the docker command with buildx, and builds with the host's network",
        )
    return completed.stdout
