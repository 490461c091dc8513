"""The GPUs, by the driver's own library (NVML through nvidia-ml-py)."""

from __future__ import annotations

from typing import Any

from toolchain.doctor.model import Check, Status, Surroundings, ok

_GIB = 1 << 30


def gpu(surroundings: Surroundings) -> list[Check]:
    """Driver, CUDA and every device; a machine without one is only worth a note.

    Source: https://docs.nvidia.com/deploy/nvml-api/
    """
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as reason:
        return [_absent(pynvml, reason)]
    try:
        return _describe(pynvml, surroundings)
    finally:
        pynvml.nvmlShutdown()


def _absent(nvml: Any, reason: Exception) -> Check:
    quiet = (nvml.NVMLError_LibraryNotFound, nvml.NVMLError_DriverNotLoaded)
    if isinstance(reason, quiet):
        return Check("gpu", Status.NOTE, "no NVIDIA driver on this machine; plugins run on the CPU")
    remedy = "repair the NVIDIA driver (`nvidia-smi` shows its state); a driver updated under way needs a restart"
    return Check("gpu", Status.WARNING, f"the NVIDIA driver does not answer: {reason}", remedy)


def _describe(nvml: Any, surroundings: Surroundings) -> list[Check]:
    cuda = nvml.nvmlSystemGetCudaDriverVersion_v2()
    # 12040 is CUDA 12.4: thousands are the major, tens the minor version.
    detail = f"driver {_text(nvml.nvmlSystemGetDriverVersion())}, CUDA {cuda // 1000}.{cuda % 1000 // 10}"
    count = nvml.nvmlDeviceGetCount()
    if count == 0:
        return [Check("gpu", Status.NOTE, f"{detail}, no device", "none is needed for CPU plugins")]
    checks = [ok("gpu", f"{detail}, {count} device{'s' if count > 1 else ''}")]
    checks += [_device(nvml, number) for number in range(count)]
    return [*checks, *_engine_support(surroundings)]


def _device(nvml: Any, number: int) -> Check:
    handle = nvml.nvmlDeviceGetHandleByIndex(number)
    memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    detail = (
        f"{_text(nvml.nvmlDeviceGetName(handle))}, "
        f"{memory.free / _GIB:.1f} of {memory.total / _GIB:.1f} GiB free, "
        f"compute capability {major}.{minor}, MIG {_mig(nvml, handle)}"
    )
    return ok(f"gpu-{number}", detail)


def _mig(nvml: Any, handle: Any) -> str:
    """``nvmlDeviceGetMigMode`` is not supported on devices that cannot be partitioned."""
    try:
        current, _ = nvml.nvmlDeviceGetMigMode(handle)
    except nvml.NVMLError:
        return "not offered"
    return "on" if current == nvml.NVML_DEVICE_MIG_ENABLE else "off"


def _engine_support(surroundings: Surroundings) -> list[Check]:
    if surroundings.engine is None:
        return []
    runtimes = surroundings.info.get("Runtimes") or {}
    if "nvidia" in runtimes or surroundings.info.get("CDISpecDirs"):
        return [ok("gpu-containers", "the engine can hand GPUs to containers")]
    remedy = "install nvidia-container-toolkit, then `sudo nvidia-ctk runtime configure` and restart the engine"
    return [Check("gpu-containers", Status.WARNING, "the engine has no NVIDIA runtime", remedy)]


def _text(value: str | bytes) -> str:
    """Older bindings give bytes."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value
