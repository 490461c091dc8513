"""The bases that there are: the same distribution and runtime, with and without what a GPU needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Accelerator = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Variant:
    """One entry: its Dockerfile, and the files of ours that only this one copies."""

    accelerator: Accelerator
    dockerfile: str
    preparation: tuple[str, ...] = ()


CATALOGUE: Final[dict[Accelerator, Variant]] = {
    "cpu": Variant("cpu", "Dockerfile.cpu"),
    "cuda": Variant("cuda", "Dockerfile.gpu", ("images/inside/link_dependencies.py",)),
}
CPU: Final = CATALOGUE["cpu"]
