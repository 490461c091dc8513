"""CUDA comparisons and checks for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from images.cuda import Comparison, CudaNeeds, Verdict, summary
from toolchain.core.findings import Finding
from toolchain.core.gpu import GpuHost, NoGpuHost

_WORDS = {
    Verdict.FITS: "the image fits this machine",
    Verdict.IMAGE_WRONG: "the image is wrong, whatever the machine",
    Verdict.HOST_WRONG: "this machine is wrong for the image",
    Verdict.UNKNOWN: "could not tell: there was no working GPU to compare with",
}


class Judged(Protocol):
    """What a comparison by labels and a check in the image have in common."""

    @property
    def verdict(self) -> Verdict: ...
    @property
    def findings(self) -> tuple[Finding, ...]: ...


def render_comparison(comparison: Comparison) -> str:
    """What the image needs, what this machine has, and the verdict, a line each; then the findings."""
    needs, host = describe_needs(comparison.needs), describe_host(comparison.host)
    return "\n".join([f"image  {needs}", f"host   {host}", *render_verdict(comparison)])


def render_verdict(judged: Judged) -> Sequence[str]:
    """The verdict in words and every finding with what to do about it."""
    lines = [_WORDS[judged.verdict]]
    for finding in judged.findings:
        lines += [f"{finding.severity.value}: {finding.message}  [{finding.rule}]", f"  fix: {finding.remedy}"]
    return lines


def describe_needs(needs: CudaNeeds | None) -> str:
    """The image's side in one line."""
    parts = [summary(needs)]
    if needs and needs.native_driver and needs.native_driver != needs.least_driver:
        parts.append(f"all of it from driver {needs.native_driver} on")
    if needs and needs.capability:
        parts.append(f"compute capability ≥ {'.'.join(map(str, needs.capability))}")
    return ", ".join(parts)


def describe_host(host: GpuHost | NoGpuHost) -> str:
    """The machine's side in one line."""
    if isinstance(host, NoGpuHost):
        return host.detail
    devices = ", ".join(device.name for device in host.devices) or "no device"
    return f"driver {host.driver}, CUDA up to {host.cuda[0]}.{host.cuda[1]}, {devices}"
