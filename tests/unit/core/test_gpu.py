"""What NVML says, and how it says that there is nothing: with a stand-in for the binding."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from toolchain.core.gpu import Absence, Device, GpuHost, Memory, Mig, NoGpuHost, read_gpus

GIB = 1 << 30


def refusing(code: int) -> Any:
    def call(*_: object) -> Any:
        raise pynvml.NVMLError(code)

    return call


class Nvml:
    """The binding on a machine with one device that cannot be partitioned; tests replace single calls."""

    NVMLError = pynvml.NVMLError
    NVMLError_LibraryNotFound = pynvml.NVMLError_LibraryNotFound
    NVMLError_DriverNotLoaded = pynvml.NVMLError_DriverNotLoaded
    NVML_DEVICE_MIG_ENABLE = 1

    def __init__(self, **replaced: Any) -> None:
        self.shut_down = 0
        answers: dict[str, Any] = {
            "nvmlInit": lambda: None,
            "nvmlSystemGetCudaDriverVersion_v2": lambda: 12040,
            "nvmlSystemGetDriverVersion": lambda: b"550.54.15",
            "nvmlDeviceGetCount": lambda: 1,
            "nvmlDeviceGetHandleByIndex": lambda index: index,
            "nvmlDeviceGetMemoryInfo": lambda _: SimpleNamespace(free=8 * GIB, total=16 * GIB),
            "nvmlDeviceGetCudaComputeCapability": lambda _: (8, 9),
            "nvmlDeviceGetName": lambda _: "NVIDIA L4",
            "nvmlDeviceGetMigMode": refusing(pynvml.NVML_ERROR_NOT_SUPPORTED),
        }
        vars(self).update({**answers, **replaced})

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.shut_down += 1


def test_a_machine_with_one_device() -> None:
    nvml = Nvml()
    device = Device(0, "NVIDIA L4", Memory(16 * GIB, 8 * GIB), (8, 9), Mig.NOT_OFFERED)
    assert read_gpus(nvml) == GpuHost("550.54.15", (12, 4), (device,))
    assert device.usable == (Memory(16 * GIB, 8 * GIB),)
    assert nvml.shut_down == 1


def test_a_driver_without_a_device_is_not_the_absence_of_a_driver() -> None:
    assert read_gpus(Nvml(nvmlDeviceGetCount=lambda: 0)) == GpuHost("550.54.15", (12, 4), ())


@pytest.mark.parametrize(
    ("code", "absence"),
    [
        (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, Absence.NO_DRIVER),
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, Absence.NO_DRIVER),
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, Absence.BROKEN),
        (pynvml.NVML_ERROR_NO_PERMISSION, Absence.BROKEN),
    ],
)
def test_why_there_is_no_driver(code: int, absence: Absence) -> None:
    nvml = Nvml(nvmlInit=refusing(code))
    found = read_gpus(nvml)
    assert isinstance(found, NoGpuHost)
    assert (found.absence, bool(found.remedy), nvml.shut_down) == (absence, True, 0)


def test_a_driver_that_breaks_off_is_broken_and_let_go() -> None:
    nvml = Nvml(nvmlDeviceGetHandleByIndex=refusing(pynvml.NVML_ERROR_GPU_IS_LOST))
    found = read_gpus(nvml)
    assert isinstance(found, NoGpuHost)
    assert (found.absence, nvml.shut_down) == (Absence.BROKEN, 1)
    assert "GPU is lost" in found.detail


def test_without_the_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    found = read_gpus()
    assert isinstance(found, NoGpuHost)
    assert found.absence is Absence.NO_BINDING


def test_the_real_binding_is_asked_when_nothing_stands_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", refusing(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND))
    found = read_gpus()
    assert isinstance(found, NoGpuHost)
    assert found.absence is Absence.NO_DRIVER


def test_what_a_device_does_not_tell_stays_open() -> None:
    nvml = Nvml(
        nvmlDeviceGetMemoryInfo=refusing(pynvml.NVML_ERROR_NOT_SUPPORTED),
        nvmlDeviceGetCudaComputeCapability=refusing(pynvml.NVML_ERROR_NOT_SUPPORTED),
    )
    found = read_gpus(nvml)
    assert isinstance(found, GpuHost)
    assert (found.devices[0].memory, found.devices[0].capability, found.devices[0].usable) == (None, None, ())


def mig(current: int) -> Nvml:
    """Seven places for instances, of which the first and the third are taken."""

    def instance(_: int, place: int) -> str:
        if place not in (0, 2):
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        return f"instance {place}"

    def memory(handle: object) -> SimpleNamespace:
        size = 10 if str(handle).startswith("instance") else 80
        return SimpleNamespace(total=size * GIB, free=size * GIB)

    return Nvml(
        nvmlDeviceGetMigMode=lambda _: (current, current),
        nvmlDeviceGetMaxMigDeviceCount=lambda _: 7,
        nvmlDeviceGetMigDeviceHandleByIndex=instance,
        nvmlDeviceGetMemoryInfo=memory,
    )


def test_with_mig_on_only_the_instances_can_be_used() -> None:
    found = read_gpus(mig(1))
    assert isinstance(found, GpuHost)
    device = found.devices[0]
    assert device.mig is Mig.ON
    assert device.usable == (Memory(10 * GIB, 10 * GIB),) * 2


def test_with_mig_off_the_device_can_be_used() -> None:
    found = read_gpus(mig(0))
    assert isinstance(found, GpuHost)
    device = found.devices[0]
    assert (device.mig, device.instances, device.usable) == (Mig.OFF, (), (Memory(80 * GIB, 80 * GIB),))
