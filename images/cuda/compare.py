"""An image's CUDA against a machine's: whose fault it would be, in sentences with remedies. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from images.cuda.needs import CudaNeeds
from images.cuda.versions import driver_key
from toolchain.core.errors import ExitCode
from toolchain.core.findings import Finding, Severity, ordered
from toolchain.core.gpu import Absence, Device, GpuHost, Mig, NoGpuHost

# Memory is sold in powers of ten: a "16 GB" T4 has 15.8e9 bytes for programs, hence the allowance.
_GIGABYTE = 1_000_000_000
_ALLOWANCE = 0.96


class Verdict(str, Enum):
    """What is to be changed. ``UNKNOWN`` is never a pass: there was nothing to compare with."""

    FITS = "fits"
    IMAGE_WRONG = "image-wrong"
    HOST_WRONG = "host-wrong"
    UNKNOWN = "could-not-tell"

    @property
    def exit_code(self) -> ExitCode:
        """A machine that does not fit says nothing about the plugin, hence ``COULD_NOT_TELL``."""
        if self is Verdict.FITS:
            return ExitCode.PASSED
        return ExitCode.PLUGIN_AT_FAULT if self is Verdict.IMAGE_WRONG else ExitCode.COULD_NOT_TELL


@dataclass(frozen=True)
class Comparison:
    """The verdict with everything behind it, worst finding first."""

    verdict: Verdict
    findings: tuple[Finding, ...]
    needs: CudaNeeds | None
    host: GpuHost | NoGpuHost = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """The comparison for ``--json``."""
        return {
            "verdict": self.verdict.value,
            "cuda": str(self.needs.version) if self.needs and self.needs.version else None,
            "least_driver": self.needs.least_driver if self.needs else None,
            "native_driver": self.needs.native_driver if self.needs else None,
            "host_driver": self.host.driver if isinstance(self.host, GpuHost) else None,
            "findings": [finding.to_json() for finding in self.findings],
        }


def compare(needs: CudaNeeds | None, host: GpuHost | NoGpuHost, *, memory_gb: float | None = None) -> Comparison:
    """Whether an image with ``needs`` would work on ``host``.

    ``memory_gb`` is the manifest's ``compute_profile.gpu_memory_gb``. An image whose wheels need no CUDA fits
    everywhere. Without a driver or a device the verdict is ``UNKNOWN``.
    """
    if needs is None and memory_gb is None:
        return Comparison(Verdict.FITS, (), None, host)
    image = list(_image_findings(needs)) if needs else []
    there = list(_absence(needs, host))
    if isinstance(host, GpuHost) and not there:
        there = [*_driver_findings(needs, host), *_device_findings(needs, host, memory_gb)]
    findings = ordered([*image, *there])
    return Comparison(_verdict(image, there), findings, needs, host)


def _verdict(image: list[Finding], host: list[Finding]) -> Verdict:
    if any(finding.severity is Severity.ERROR for finding in image):
        return Verdict.IMAGE_WRONG
    if any(finding.severity is Severity.ERROR for finding in host):
        return Verdict.HOST_WRONG
    return Verdict.UNKNOWN if any(f.severity is Severity.UNKNOWN for f in [*image, *host]) else Verdict.FITS


def _image_findings(needs: CudaNeeds) -> Iterator[Finding]:
    if needs.version is None:
        message = f"no wheel tells which CUDA it was built for: {', '.join(needs.packages)}"
        yield Finding(
            Severity.UNKNOWN, "gpu.cuda-line", message, "run the image's GPU check on a machine with a GPU"
        )
    elif needs.least_driver is None:
        message = f"this image needs CUDA {needs.version}, whose drivers this toolchain does not know"
        yield Finding(Severity.UNKNOWN, "gpu.cuda-line", message, "update the toolchain, or use CUDA 12 or 13")
    for sentence in needs.lacking:
        # A warning, since libraries may also come from elsewhere; the check inside the image proves it either way.
        remedy = "add the named packages to the requirements (or the package's own extra that brings them)"
        yield Finding(Severity.WARNING, "gpu.libraries", sentence, remedy)


def _absence(needs: CudaNeeds | None, host: GpuHost | NoGpuHost) -> Iterator[Finding]:
    driver = f"this image needs driver ≥ {needs.least_driver}; " if needs and needs.least_driver else ""
    if isinstance(host, NoGpuHost):
        severity = Severity.ERROR if host.absence is Absence.BROKEN else Severity.UNKNOWN
        yield Finding(severity, "gpu.driver", f"{driver}{host.detail}", host.remedy)
    elif not host.devices:
        message = f"{driver}this host has driver {host.driver} and no device"
        yield Finding(Severity.UNKNOWN, "gpu.device", message, "use a machine with an NVIDIA GPU")


def _driver_findings(needs: CudaNeeds | None, host: GpuHost) -> Iterator[Finding]:
    if needs is None or needs.version is None or needs.least_driver is None:
        return
    if driver_key(host.driver) < driver_key(needs.least_driver):
        yield Finding(
            Severity.ERROR,
            "gpu.driver",
            f"this image needs driver ≥ {needs.least_driver} (CUDA {needs.version}); this host has {host.driver}",
            f"update the host's driver, or choose packages for CUDA {host.cuda[0]} or older",
        )
    elif host.cuda < (needs.version.major, needs.version.minor):
        native = f"driver ≥ {needs.native_driver}" if needs.native_driver else "a newer driver"
        yield Finding(
            Severity.WARNING,
            "gpu.driver-native",
            f"this host's driver {host.driver} knows CUDA up to {host.cuda[0]}.{host.cuda[1]} and runs this "
            f"image's CUDA {needs.version} with limits: PTX of {needs.version} is refused",
            f"kernels compiled at run time may need {native}",
        )


def _device_findings(needs: CudaNeeds | None, host: GpuHost, memory_gb: float | None) -> Iterator[Finding]:
    yield from _instance_findings(host)
    devices = [device for device in host.devices if _usable(device)]
    if needs and needs.capability and devices:
        floor = ".".join(map(str, needs.capability))
        able = [device for device in devices if device.capability is None or device.capability >= needs.capability]
        if not able:
            message = f"this image needs compute capability ≥ {floor}; this host has {_capabilities(devices)}"
            yield Finding(
                Severity.ERROR, "gpu.capability", message, "use a newer GPU, or packages for an older CUDA"
            )
        elif needs.untold:
            message = (
                f"compute capability ≥ {floor} is what CUDA asks for; {', '.join(needs.untold)} may ask for more"
            )
            yield Finding(Severity.NOTE, "gpu.capability", message, "the check inside the image tells")
        devices = able
    if memory_gb is not None and devices:
        yield from _memory_findings(devices, memory_gb)


def _instance_findings(host: GpuHost) -> Iterator[Finding]:
    none_left = not any(_usable(device) for device in host.devices)
    for device in host.devices:
        if device.mig is not Mig.ON:
            continue
        name = f"GPU {device.index} ({device.name})"
        if not device.instances:
            severity = Severity.ERROR if none_left else Severity.WARNING
            message = f"{name} is in MIG mode and has no instance: no program can use it"
            yield Finding(
                severity, "gpu.mig", message, "make an instance (`nvidia-smi mig -cgi … -C`) or turn MIG off"
            )
        else:
            message = f"{name} is in MIG mode: a program gets one of its {len(device.instances)} instances"
            yield Finding(Severity.NOTE, "gpu.mig", message, "name the instance to use if there are several")


def _memory_findings(devices: list[Device], memory_gb: float) -> Iterator[Finding]:
    usable = [memory for device in devices for memory in device.usable]
    wanted = memory_gb * _GIGABYTE * _ALLOWANCE
    if not usable:
        message = (
            f"the manifest asks for {memory_gb:g} GB of GPU memory and the driver does not tell how much there is"
        )
        yield Finding(Severity.UNKNOWN, "gpu.memory", message, "run the plugin and watch its memory")
    elif max(memory.total for memory in usable) < wanted:
        most = max(memory.total for memory in usable) / _GIGABYTE
        message = (
            f"the manifest asks for {memory_gb:g} GB of GPU memory; the largest device here has {most:.1f} GB"
        )
        yield Finding(Severity.ERROR, "gpu.memory", message, "use a larger GPU, or correct gpu_memory_gb")
    elif max(memory.free for memory in usable) < wanted:
        most = max(memory.free for memory in usable) / _GIGABYTE
        message = f"the manifest asks for {memory_gb:g} GB of GPU memory; at most {most:.1f} GB are free now"
        yield Finding(Severity.ERROR, "gpu.memory", message, "end what else uses the GPU (`nvidia-smi` lists it)")


def _usable(device: Device) -> bool:
    return device.mig is not Mig.ON or bool(device.instances)


def _capabilities(devices: list[Device]) -> str:
    told = {".".join(map(str, device.capability)) for device in devices if device.capability}
    return " and ".join(sorted(told))
