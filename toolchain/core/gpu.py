"""The GPUs of this machine, by the driver's own library (NVML through nvidia-ml-py).

Reads and judges nothing. Source: https://docs.nvidia.com/deploy/nvml-api/.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Mig(str, Enum):
    """Whether a device is partitioned into instances; ``NOT_OFFERED`` where it cannot be."""

    ON = "on"
    OFF = "off"
    NOT_OFFERED = "not offered"


@dataclass(frozen=True)
class Memory:
    """Device memory in bytes."""

    total: int
    free: int


@dataclass(frozen=True)
class Device:
    """One GPU. What NVML does not tell is ``None``: memory, say, on machines that share it with the processor.

    ``capability`` is the compute capability (8, 9). ``instances`` is the memory of each MIG instance: with MIG on
    programs get one of these, never the whole device.
    """

    index: int
    name: str
    memory: Memory | None
    capability: tuple[int, int] | None
    mig: Mig
    instances: tuple[Memory, ...] = ()

    @property
    def usable(self) -> tuple[Memory, ...]:
        """The memory of every part that a program can get."""
        if self.mig is Mig.ON:
            return self.instances
        return () if self.memory is None else (self.memory,)


@dataclass(frozen=True)
class GpuHost:
    """The driver ("550.54.15"), the newest CUDA it knows (12, 4), and its devices; there may be none."""

    driver: str
    cuda: tuple[int, int]
    devices: tuple[Device, ...]


class Absence(str, Enum):
    """Why nothing can be said about GPUs here."""

    NO_BINDING = "no-binding"
    NO_DRIVER = "no-driver"
    BROKEN = "broken"


@dataclass(frozen=True)
class NoGpuHost:
    """There is no working driver: ``BROKEN`` is one that is installed and does not answer."""

    absence: Absence
    detail: str
    remedy: str


def read_gpus(nvml: Any = None) -> GpuHost | NoGpuHost:
    """What is here. ``nvml`` stands in for the binding in tests. Never raises for what the machine lacks."""
    if nvml is None:
        try:
            import pynvml
        except ImportError as reason:
            remedy = "install nvidia-ml-py into the toolchain's environment"
            return NoGpuHost(Absence.NO_BINDING, f"nvidia-ml-py cannot be imported: {reason}", remedy)
        nvml = pynvml
    try:
        nvml.nvmlInit()
    except nvml.NVMLError as reason:
        return _absent(nvml, reason)
    try:
        return _host(nvml)
    except nvml.NVMLError as reason:
        return _broken(reason)
    finally:
        with suppress(nvml.NVMLError):
            nvml.nvmlShutdown()


def _absent(nvml: Any, reason: Exception) -> NoGpuHost:
    if isinstance(reason, (nvml.NVMLError_LibraryNotFound, nvml.NVMLError_DriverNotLoaded)):
        remedy = "use a machine with an NVIDIA GPU and its driver"
        return NoGpuHost(Absence.NO_DRIVER, "no NVIDIA driver on this machine", remedy)
    return _broken(reason)


def _broken(reason: Exception) -> NoGpuHost:
    remedy = "repair the NVIDIA driver (`nvidia-smi` shows its state); a driver updated under way needs a restart"
    return NoGpuHost(Absence.BROKEN, f"the NVIDIA driver does not answer: {reason}", remedy)


def _host(nvml: Any) -> GpuHost:
    # 12040 is CUDA 12.4: thousands are the major, tens the minor version.
    cuda = nvml.nvmlSystemGetCudaDriverVersion_v2()
    devices = tuple(_device(nvml, index) for index in range(nvml.nvmlDeviceGetCount()))
    return GpuHost(_text(nvml.nvmlSystemGetDriverVersion()), (cuda // 1000, cuda % 1000 // 10), devices)


def _device(nvml: Any, index: int) -> Device:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    mig = _mig(nvml, handle)
    capability = None
    with suppress(nvml.NVMLError):
        major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
        capability = (int(major), int(minor))
    return Device(
        index=index,
        name=_text(nvml.nvmlDeviceGetName(handle)),
        memory=_memory(nvml, handle),
        capability=capability,
        mig=mig,
        instances=_instances(nvml, handle) if mig is Mig.ON else (),
    )


def _memory(nvml: Any, handle: Any) -> Memory | None:
    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError:
        return None
    return Memory(int(memory.total), int(memory.free))


def _mig(nvml: Any, handle: Any) -> Mig:
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError:
        return Mig.NOT_OFFERED  # NVML_ERROR_NOT_SUPPORTED on devices that cannot be partitioned
    return Mig.ON if current == nvml.NVML_DEVICE_MIG_ENABLE else Mig.OFF


def _instances(nvml: Any, handle: Any) -> tuple[Memory, ...]:
    found = []
    for place in range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)):
        with suppress(nvml.NVMLError):  # NVML_ERROR_NOT_FOUND: places may be empty
            memory = _memory(nvml, nvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, place))
            found += [memory] if memory else []
    return tuple(found)


def _text(value: str | bytes) -> str:
    """Older bindings give bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value
