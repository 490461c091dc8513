"""What the rest of the toolchain knows of a container engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import docker

EngineKind = Literal["docker", "podman"]


@dataclass(frozen=True)
class ContainerEngine:
    """A connected engine.

    ``kind`` is the program behind the API, ``found`` says in words which rule of the cascade found it, ``address``
    is the URL spoken to, ``local`` whether it runs on this machine's kernel. ``architecture`` is the engine's own
    name for its platform (``amd64``, ``arm64``). ``notes`` are sentences on rules that were passed over for a
    reason the user may want to know, such as a socket that denied access. ``started`` says that this connection
    started it; ``dial`` opens another client over the same transport, its requests limited to so many seconds.
    """

    client: docker.DockerClient
    kind: EngineKind
    found: str
    address: str
    version: str
    api_version: str
    architecture: str
    local: bool
    notes: tuple[str, ...] = ()
    started: bool = False
    dial: Callable[[int], docker.DockerClient] | None = field(default=None, repr=False, compare=False)

    def with_timeout(self, seconds: int) -> ContainerEngine:
        """The same engine through connections of its own, whose requests end after ``seconds``.

        Transport and credentials are the same. To be closed like any other.
        """
        assert self.dial is not None, "made by hand, not by connect()"
        return replace(self, client=self.dial(seconds))

    def close(self) -> None:
        """Close the connections; the engine itself goes on."""
        self.client.close()
