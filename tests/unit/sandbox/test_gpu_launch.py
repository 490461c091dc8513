"""What the engine is asked for at the two levels, word by word, and how each engine wants to hear it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from sandbox.device_words import device_words, words_of
from sandbox.devices import device_environment, device_requests
from sandbox.launch import Dialect, container_request
from sandbox.policy import GPU_POLICY, Policy
from toolchain.core.containers import ContainerEngine
from toolchain.core.errors import EngineRefused


def request(policy: Policy, dialect: Dialect | None = None) -> dict[str, Any]:
    words = dialect or Dialect("{}")
    return container_request(policy, image="sha256:1", command=["x"], labels={}, dialect=words)


def engine(kind: str, version: str, info: dict[str, Any] | None = None) -> ContainerEngine:
    return ContainerEngine(
        client=SimpleNamespace(info=lambda: info),  # type: ignore[arg-type]
        kind=kind,  # type: ignore[arg-type]
        found="test",
        address="unix:///s",
        version=version,
        api_version="1.41",
        architecture="amd64",
        local=True,
    )


def test_every_device_by_nvidia_s_hook_as_the_gpus_option_does() -> None:
    host = request(GPU_POLICY)["HostConfig"]
    assert host["DeviceRequests"] == [
        {
            "Driver": "nvidia",
            "Count": -1,
            "DeviceIDs": None,
            "Capabilities": [["gpu", "compute", "utility"]],
            "Options": {},
        }
    ]


def test_single_devices_by_name() -> None:
    (asked,) = device_requests(("0", "MIG-4b9e"), "nvidia")
    assert (asked["Count"], asked["DeviceIDs"]) == (0, ["0", "MIG-4b9e"])


def test_devices_by_cdi() -> None:
    host = request(replace(GPU_POLICY, gpus=("0", "1")), Dialect("{}", devices="cdi"))["HostConfig"]
    assert host["DeviceRequests"] == [{"Driver": "cdi", "DeviceIDs": ["nvidia.com/gpu=0", "nvidia.com/gpu=1"]}]
    assert device_requests(("all",), "cdi")[0]["DeviceIDs"] == ["nvidia.com/gpu=all"]


def test_what_the_gpu_level_changes_and_nothing_else() -> None:
    """Golden: the walls are the same, only limits, devices and the filter differ."""
    cpu, gpu = request(Policy()), request(GPU_POLICY, Dialect("{gpu}"))
    assert {key for key in cpu if cpu[key] != gpu[key]} == {"Env", "HostConfig"}
    before, after = cpu["HostConfig"], gpu["HostConfig"]
    changed = {key: after[key] for key in after if before.get(key) != after[key]}
    assert changed == {
        "SecurityOpt": ["no-new-privileges", "seccomp={gpu}"],
        "ShmSize": 1 << 30,
        "Memory": 16 << 30,
        "MemorySwap": 16 << 30,
        "PidsLimit": 512,
        "Ulimits": [
            {"Name": "nofile", "Soft": 16_384, "Hard": 16_384},
            {"Name": "nproc", "Soft": 8192, "Hard": 8192},
            {"Name": "core", "Soft": 0, "Hard": 0},
            {"Name": "memlock", "Soft": 16 << 30, "Hard": 16 << 30},
        ],
        "DeviceRequests": after["DeviceRequests"],
    }
    assert before.keys() - after.keys() == set()


def test_a_cpu_sandbox_refuses_devices_that_the_image_asks_for() -> None:
    cpu, gpu = request(Policy()), request(GPU_POLICY)
    assert "NVIDIA_VISIBLE_DEVICES=void" in cpu["Env"]
    assert "DeviceRequests" not in cpu["HostConfig"]
    assert not any(entry.startswith("NVIDIA_VISIBLE_DEVICES") for entry in gpu["Env"])
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility" in gpu["Env"]
    assert device_environment(()) == ["NVIDIA_VISIBLE_DEVICES=void"]


def test_the_levels_are_different_policies_on_record() -> None:
    assert GPU_POLICY.to_json()["gpus"] == ("all",)
    digests = {Policy().digest, GPU_POLICY.digest, replace(Policy(), gpus=("all",)).digest}
    assert len(digests) == 3


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"Runtimes": {"runc": {}, "nvidia": {}}}, "nvidia"),
        ({"Runtimes": {"runc": {}}}, "nvidia"),
        (
            {"Runtimes": {"nvidia": {}}, "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}]},
            "cdi",
        ),
        ({"Runtimes": {"nvidia": {}}, "CDISpecDirs": ["/etc/cdi"]}, "nvidia"),
        ({"Runtimes": {"runc": {}}, "CDISpecDirs": ["/etc/cdi"]}, "cdi"),
        ({"DiscoveredDevices": [{"Source": "cdi", "ID": "vendor.com/nic=0"}]}, "nvidia"),
        ({"DiscoveredDevices": None, "Runtimes": None, "CDISpecDirs": None}, "nvidia"),
    ],
)
def test_docker_s_words_by_its_own_description(info: dict[str, Any], words: str) -> None:
    assert words_of(info) == words
    assert device_words(engine("docker", "28.2.2", info)) == words


@pytest.mark.parametrize("version", ["4.3.1", "5.3.9", "unknown"])
def test_a_podman_that_would_drop_the_devices_is_refused(version: str) -> None:
    with pytest.raises(EngineRefused, match="ignores devices") as caught:
        device_words(engine("podman", version))
    assert "5.4" in caught.value.remedy


@pytest.mark.parametrize("version", ["5.4.0", "5.10.1", "6.0"])
def test_a_podman_that_knows_cdi(version: str) -> None:
    assert device_words(engine("podman", version)) == "cdi"
