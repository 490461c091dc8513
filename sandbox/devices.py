"""GPUs in the engine's words. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

DeviceWords = Literal["nvidia", "cdi"]
"""``nvidia``: the engine calls NVIDIA's hook, as `docker run --gpus` does. ``cdi``: names from a CDI file."""

ALL = "all"
_CDI_KIND = "nvidia.com/gpu"
# What a container gets of the driver: CUDA and NVML, neither display nor video.
_CAPABILITIES = ("compute", "utility")


def device_requests(gpus: Sequence[str], words: DeviceWords) -> list[dict[str, Any]]:
    """``HostConfig.DeviceRequests`` for ``gpus``.

    Sources: Docker Engine API 1.41 (POST /containers/create, DeviceRequest); https://github.com/cncf-tags/container-
    device-interface (names of devices).
    """
    if words == "cdi":
        return [{"Driver": "cdi", "DeviceIDs": [f"{_CDI_KIND}={name}" for name in gpus]}]
    everything = ALL in gpus
    return [
        {
            "Driver": "nvidia",
            "Count": -1 if everything else 0,
            "DeviceIDs": None if everything else list(gpus),
            "Capabilities": [["gpu", *_CAPABILITIES]],
            "Options": {},
        }
    ]


def device_environment(gpus: Sequence[str]) -> list[str]:
    """What NVIDIA's hook is told by the environment.

    Where NVIDIA's runtime is the engine's default, it hands every device to any container whose image says
    ``NVIDIA_VISIBLE_DEVICES=all``, and a CUDA image says so: without ``void`` such a host has no CPU sandbox.
    Source: "Environment variables" in NVIDIA Container Toolkit's documentation, "Specialized Configurations".
    """
    return [f"NVIDIA_DRIVER_CAPABILITIES={','.join(_CAPABILITIES)}"] if gpus else ["NVIDIA_VISIBLE_DEVICES=void"]
