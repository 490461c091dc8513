"""CUDA facts as image labels, for `docker image inspect` and for the toolchain itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from images.cuda.needs import CudaNeeds
from images.cuda.versions import parse_cuda
from images.layout import LABEL, LABEL_ACCELERATOR

LABEL_VERSION: Final = LABEL + "cuda.version"
LABEL_LEAST_DRIVER: Final = LABEL + "cuda.least-driver"
LABEL_NATIVE_DRIVER: Final = LABEL + "cuda.native-driver"
LABEL_PACKAGES: Final = LABEL + "cuda.packages"
LABEL_CAPABILITY: Final = LABEL + "cuda.compute-capability"
LABEL_UNTOLD: Final = LABEL + "cuda.untold"
LABEL_LACKING: Final = LABEL + "cuda.lacking"

UNKNOWN: Final = "unknown"
NONE: Final = "none"
_CAPABILITY: Final = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})")
# Labels come from images that anybody may have made, and end up in a table.
_PLAIN: Final = re.compile(r"[^ -~]")
_LIMIT: Final = 4096


def cuda_labels(needs: CudaNeeds | None) -> dict[str, str]:
    """The labels of a CUDA image; "none" as version when no wheel in it needs CUDA."""
    if needs is None:
        return {LABEL_ACCELERATOR: "cuda", LABEL_VERSION: NONE}
    capability = ".".join(map(str, needs.capability)) if needs.capability else UNKNOWN
    labels = {
        LABEL_ACCELERATOR: "cuda",
        LABEL_VERSION: str(needs.version or UNKNOWN),
        LABEL_LEAST_DRIVER: needs.least_driver or UNKNOWN,
        LABEL_NATIVE_DRIVER: needs.native_driver or UNKNOWN,
        LABEL_PACKAGES: ", ".join(needs.packages),
        LABEL_CAPABILITY: capability,
    }
    optional = {LABEL_UNTOLD: ", ".join(needs.untold), LABEL_LACKING: "; ".join(needs.lacking)}
    return {**labels, **{name: value for name, value in optional.items() if value}}


def needs_from_labels(labels: Mapping[str, str]) -> CudaNeeds | None:
    """What an image's labels say it needs; ``None`` when they name no CUDA.

    Drivers are looked up again from the version: our table may know more than when the image was built.
    """
    stated = labels.get(LABEL_VERSION)
    if stated is None or stated == NONE:
        return None
    match = _CAPABILITY.fullmatch(labels.get(LABEL_CAPABILITY, ""))
    return CudaNeeds(
        version=parse_cuda(stated),
        packages=_listed(labels.get(LABEL_PACKAGES, "")),
        capability=(int(match[1]), int(match[2])) if match else None,
        untold=_listed(labels.get(LABEL_UNTOLD, "")),
        lacking=_listed(labels.get(LABEL_LACKING, ""), "; "),
    )


def _listed(text: str, separator: str = ", ") -> tuple[str, ...]:
    return tuple(_PLAIN.sub("?", part) for part in text[:_LIMIT].split(separator) if part)
