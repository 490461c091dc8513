"""How a given engine wants to be asked for GPUs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.devices import DeviceWords
from toolchain.core.containers import ContainerEngine, engine_errors
from toolchain.core.errors import EngineRefused

# The first whose Docker-compatible API does not drop DeviceRequests without a word (containers/podman#25171).
_PODMAN_WITH_DEVICES = (5, 4)


def device_words(engine: ContainerEngine) -> DeviceWords:
    """The words for ``engine``, by its own description.

    Raises ``EngineRefused`` for a podman that would start the container without any device.
    """
    if engine.kind == "podman":
        if _release(engine.version) < _PODMAN_WITH_DEVICES:
            raise EngineRefused(
                f"podman {engine.version} ignores devices that are asked for through its API",
                where=engine.address,
                remedy="use podman 5.4 or newer, or a Docker Engine (DOCKER_HOST)",
            )
        return "cdi"
    with engine_errors("ask the engine about its devices"):
        return words_of(dict(engine.client.info()))


def words_of(info: Mapping[str, Any]) -> DeviceWords:
    """Docker's words by its description (GET /info): CDI where the engine has found a device, else NVIDIA's hook.

    ``DiscoveredDevices`` exists since API 1.50. Before, an engine may have folders for CDI and nothing in them:
    there NVIDIA's runtime, if it is registered, is the better guess.
    """
    found = info.get("DiscoveredDevices") or []
    if any(str(device.get("ID", "")).startswith("nvidia.com/gpu") for device in found if isinstance(device, dict)):
        return "cdi"
    if "nvidia" in (info.get("Runtimes") or {}):
        return "nvidia"
    return "cdi" if info.get("CDISpecDirs") else "nvidia"


def _release(version: str) -> tuple[int, int]:
    match = re.match(r"(\d+)\.(\d+)", version)
    return (int(match[1]), int(match[2])) if match else (0, 0)
