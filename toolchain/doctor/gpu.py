"""The GPUs as checks of ``mixpeek doctor``."""

from __future__ import annotations

from toolchain.core.gpu import Absence, Device, GpuHost, NoGpuHost, read_gpus
from toolchain.doctor.model import Check, Status, Surroundings, ok

_GIB = 1 << 30


def gpu(surroundings: Surroundings) -> list[Check]:
    """Driver, CUDA and every device; a machine without one is only worth a note."""
    return describe(read_gpus(), surroundings)


def describe(host: GpuHost | NoGpuHost, surroundings: Surroundings) -> list[Check]:
    """The same for a host that was read already."""
    if isinstance(host, NoGpuHost):
        return [_absent(host)]
    detail = f"driver {host.driver}, CUDA {host.cuda[0]}.{host.cuda[1]}"
    count = len(host.devices)
    if count == 0:
        return [Check("gpu", Status.NOTE, f"{detail}, no device", "none is needed for CPU plugins")]
    checks = [ok("gpu", f"{detail}, {count} device{'s' if count > 1 else ''}")]
    checks += [_device(device) for device in host.devices]
    return [*checks, *_engine_support(surroundings)]


def _absent(host: NoGpuHost) -> Check:
    if host.absence is Absence.NO_DRIVER:
        return Check("gpu", Status.NOTE, f"{host.detail}; plugins run on the CPU")
    return Check("gpu", Status.WARNING, host.detail, host.remedy)


def _device(device: Device) -> Check:
    memory = device.memory
    space = f"{memory.free / _GIB:.1f} of {memory.total / _GIB:.1f} GiB free" if memory else "memory not told"
    capability = ".".join(map(str, device.capability)) if device.capability else "not told"
    mig = f"MIG {device.mig.value}"
    if device.instances:
        sizes = ", ".join(f"{instance.total / _GIB:.1f}" for instance in device.instances)
        mig += f" ({len(device.instances)} instances: {sizes} GiB)"
    return ok(f"gpu-{device.index}", f"{device.name}, {space}, compute capability {capability}, {mig}")


def _engine_support(surroundings: Surroundings) -> list[Check]:
    if surroundings.engine is None:
        return []
    info = surroundings.info
    if "nvidia" in (info.get("Runtimes") or {}):
        return [ok("gpu-containers", "the engine can hand GPUs to containers by its NVIDIA runtime")]
    found = [device for device in info.get("DiscoveredDevices") or [] if "nvidia" in str(device)]
    if found or info.get("CDISpecDirs"):
        return [ok("gpu-containers", "the engine can hand GPUs to containers by CDI")]
    remedy = "install nvidia-container-toolkit, then `sudo nvidia-ctk runtime configure` and restart the engine"
    return [Check("gpu-containers", Status.WARNING, "the engine has no NVIDIA runtime", remedy)]
