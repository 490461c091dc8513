"""The two profiles come from one source, and the GPU's adds what the driver needs and nothing more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandbox.seccomp import profile_digest, profile_text
from sandbox.seccomp.profile import PROFILES


def test_the_profiles_differ_in_the_driver_s_lines_alone() -> None:
    cpu, gpu = PROFILES["cpu"].to_json(), PROFILES["gpu"].to_json()
    assert profile_digest("cpu") != profile_digest("gpu")
    assert {key: cpu[key] for key in cpu if key != "syscalls"} == {
        key: gpu[key] for key in gpu if key != "syscalls"
    }
    added = [rule for rule in gpu["syscalls"][1:] if rule not in cpu["syscalls"]]
    assert [rule["names"] for rule in added] == [["ioctl"]] * 4
    assert [rule for rule in cpu["syscalls"][1:] if rule not in gpu["syscalls"]] == []
    names = set(gpu["syscalls"][0]["names"]) - set(cpu["syscalls"][0]["names"])
    assert names == {"mlock", "mlock2", "munlock"}
    assert "ioctl" not in gpu["syscalls"][0]["names"]


def allowed(request: int, *, gpu: bool) -> bool:
    """Whether an ioctl passes, by the rules as libseccomp applies them to the 64 bits of the argument."""
    rules: list[dict[str, Any]] = json.loads(profile_text("gpu" if gpu else "cpu"))["syscalls"]
    for rule in rules:
        if rule["names"] != ["ioctl"]:
            continue
        (argument,) = rule["args"]
        if argument["op"] == "SCMP_CMP_EQ" and request == argument["value"]:
            return True
        if argument["op"] == "SCMP_CMP_MASKED_EQ" and request & argument["value"] == argument["valueTwo"]:
            return True
    return False


@pytest.mark.parametrize(
    "request_number",
    [
        0xC020462A,  # NV_ESC_RM_CONTROL as the driver's library issues it
        0xC030462B,  # NV_ESC_RM_ALLOC
        0xC00446C9,  # NV_ESC_REGISTER_FD
        0xC04846D2,  # NV_ESC_CHECK_VERSION_STR
        0xFFFFFFFFC020462A,  # the same from a C int: the kernel looks at 32 bits
        0x30000001,
        0x30000002,
        25,  # UVM_REGISTER_GPU_VASPACE
        75,  # UVM_MM_INITIALIZE
    ],
)
def test_the_driver_s_requests_pass_the_gpu_profile_only(request_number: int) -> None:
    assert allowed(request_number, gpu=True)
    assert not allowed(request_number, gpu=False)


@pytest.mark.parametrize(
    "request_number",
    [
        0x5412,  # TIOCSTI: types into the terminal
        0x541C,  # TIOCLINUX
        0x5423,  # TIOCSETD
        0x8933,  # SIOCGIFINDEX
        0x4B4D,  # PIO_CMAP
        0xAE00,  # KVM_GET_API_VERSION
        0xC0104500,  # another driver's letter
        0x40086602,  # FS_IOC_SETFLAGS
    ],
)
@pytest.mark.parametrize("gpu", [False, True])
def test_other_requests_pass_neither(request_number: int, gpu: bool) -> None:
    assert not allowed(request_number, gpu=gpu)
