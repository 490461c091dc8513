"""``mixpeek doctor --gpu``: the GPUs as something needed, and every CUDA image here tried on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from images.cuda import LABEL_VERSION, Comparison, Verdict, compare, needs_from_labels, summary
from images.engine_calls import list_images
from toolchain.check.gpu import GpuCheck, check_gpu
from toolchain.core.containers import ContainerEngine
from toolchain.core.errors import MixpeekError
from toolchain.core.gpu import GpuHost, NoGpuHost, read_gpus
from toolchain.doctor.gpu import describe
from toolchain.doctor.model import Check, Status, Surroundings

_STATUS = {
    Verdict.FITS: Status.OK,
    Verdict.IMAGE_WRONG: Status.ERROR,
    Verdict.HOST_WRONG: Status.ERROR,
    Verdict.UNKNOWN: Status.UNKNOWN,
}


def gpu_in_detail(surroundings: Surroundings) -> list[Check]:
    """Driver, devices and images. What is a note for CPU plugins is "not there" for who asks for GPUs."""
    host = read_gpus()
    return [*(_needed(check, host) for check in describe(host, surroundings)), *_images(surroundings, host)]


def _needed(check: Check, host: GpuHost | NoGpuHost) -> Check:
    if check.status is not Status.NOTE:
        return check
    if isinstance(host, NoGpuHost):
        return Check(check.name, Status.UNKNOWN, host.detail, host.remedy)
    return replace(check, status=Status.UNKNOWN, remedy="use a machine with an NVIDIA GPU")


def _images(surroundings: Surroundings, host: GpuHost | NoGpuHost) -> list[Check]:
    if surroundings.engine is None:
        return []
    found = sorted(list_images(surroundings.engine, LABEL_VERSION), key=_name)
    if not found:
        return [Check("gpu-image", Status.NOTE, "no image for GPUs here yet")]
    return [_image(image, host, surroundings.engine) for image in found]


def _image(image: Mapping[str, Any], host: GpuHost | NoGpuHost, engine: ContainerEngine) -> Check:
    """By labels; where they promise that it works, by a kernel that runs in it."""
    needs = needs_from_labels(image.get("Labels") or {})
    judged: Comparison | GpuCheck = compare(needs, host)
    detail = f"{_name(image)}: {summary(needs)}"
    if needs is not None and judged.verdict is Verdict.FITS:
        warned = judged.findings
        try:
            checked = check_gpu(engine, str(image["Id"]))
        except MixpeekError as fault:
            return Check("gpu-image", Status.UNKNOWN, f"{detail}\n{fault.message}", fault.remedy)
        judged = replace(checked, findings=(*checked.findings, *warned))
        detail += f", a kernel ran in it in {checked.run.seconds:.1f} s" if checked.verdict is Verdict.FITS else ""
    return Check("gpu-image", _status(judged), *_words(detail, judged))


def _status(comparison: Comparison | GpuCheck) -> Status:
    status = _STATUS[comparison.verdict]
    return Status.WARNING if status is Status.OK and comparison.findings else status


def _words(detail: str, comparison: Comparison | GpuCheck) -> tuple[str, str]:
    """The detail with everything found below it, and the worst one's remedy."""
    if not comparison.findings:
        return detail, ""
    lines = [detail, *(finding.message for finding in comparison.findings)]
    return "\n".join(lines), comparison.findings[0].remedy


def _name(image: Mapping[str, Any]) -> str:
    return str((image.get("RepoTags") or [str(image["Id"])[:19]])[0])
