"""What the rest of the toolchain knows of a container engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import docker


@dataclass(frozen=True)
class ContainerEngine:
    """A connected engine.

    ``kind`` is the program behind the API, ``found`` says in words which rule of the cascade found it, ``address``
    is the URL spoken to, ``local`` whether it runs on this machine's kernel. ``architecture`` is the engine's own
    name for its platform (``amd64``, ``arm64``).
    """

    client: docker.DockerClient
    kind: Literal["docker", "podman"]
    found: str
    address: str
    version: str
    api_version: str
    architecture: str
    local: bool
