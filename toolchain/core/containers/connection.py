"""Finds the engine to speak to."""

from __future__ import annotations

from toolchain.core.containers.model import ContainerEngine


def connect() -> ContainerEngine:
    """The first engine of the cascade that answers."""
    import docker

    client = docker.from_env()
    version = client.version()
    return ContainerEngine(
        client=client,
        kind="docker",
        found="default socket",
        address="unix:///var/run/docker.sock",
        version=version["Version"],
        api_version=version["ApiVersion"],
        architecture=version["Arch"],
        local=True,
    )
