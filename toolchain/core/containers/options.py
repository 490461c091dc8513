"""What the engine connection may know and do: a frozen value, made from the environment in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from toolchain.core.containers.model import EngineKind
from toolchain.core.errors import SettingsFault
from toolchain.core.places import home_dir, state_dir


@dataclass(frozen=True)
class ConnectOptions:
    """How to look for an engine.

    ``environment`` stands for the process's own. ``host`` is an engine address from the settings and wins over
    ``DOCKER_HOST``. ``may_start`` allows starting an installed engine. ``preferred`` has every rule of that kind
    tried before the rules of the other. ``ping_seconds`` bounds the probe of one address, ``request_seconds``
    every later request that names no limit of its own.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    host: str | None = None
    may_start: bool = True
    preferred: EngineKind | None = None
    docker_socket: Path = Path("/var/run/docker.sock")
    podman_socket: Path = Path("/run/podman/podman.sock")
    ping_seconds: float = 2.0
    request_seconds: int = 60


def options_from_environment(
    *, host: str | None = None, may_start: bool = True, preferred: EngineKind | None = None
) -> ConnectOptions:
    """Options that see this process's environment; ``MIXPEEK_ENGINE`` names the kind that is tried first.

    Raises ``SettingsFault`` when that is neither ``docker`` nor ``podman``.
    """
    environment = dict(os.environ)
    wanted = preferred or _preferred(environment)
    return ConnectOptions(environment=environment, host=host, may_start=may_start, preferred=wanted)


def _preferred(environment: Mapping[str, str]) -> EngineKind | None:
    named = environment.get("MIXPEEK_ENGINE", "").strip().lower()
    if named in {"docker", "podman"}:
        return cast("EngineKind", named)
    if named:
        raise SettingsFault(
            f"{named!r} is no kind of engine",
            where="MIXPEEK_ENGINE",
            remedy="set it to docker or podman, or unset it",
        )
    return None


def runtime_dir(environment: Mapping[str, str]) -> Path | None:
    """The user's short-lived folder: ``XDG_RUNTIME_DIR``, else ``/run/user/UID`` where it exists."""
    if xdg := environment.get("XDG_RUNTIME_DIR"):
        return Path(xdg)
    if not hasattr(os, "getuid"):
        return None
    usual = Path(f"/run/user/{os.getuid()}")
    return usual if usual.is_dir() else None


__all__ = ["ConnectOptions", "home_dir", "options_from_environment", "runtime_dir", "state_dir"]
