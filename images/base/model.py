"""What the rest knows of a base."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from images.image_config import ImageConfig, Layer
from images.layout import (
    LABEL,
    LABEL_GLIBC,
    LABEL_ORIGIN,
    LABEL_PYTHON,
    LABEL_RECIPE,
    LABEL_SOURCE,
    LABEL_SOURCE_ID,
)
from images.target import Target

Origin = Literal["pulled", "packages"]
DEFAULT_REFERENCE = "python:3.11-slim-bookworm"
LABEL_SIZES = LABEL + "base.layer-sizes"
_NEEDED = frozenset({LABEL_SOURCE, LABEL_SOURCE_ID, LABEL_RECIPE, LABEL_PYTHON, LABEL_GLIBC})


@dataclass(frozen=True)
class Wanted:
    """The distribution to obtain: ``reference`` as the user wrote it, or ``None`` for the default."""

    reference: str | None
    architecture: str
    refresh: bool = False

    @property
    def name(self) -> str:
        """The reference to ask for."""
        return self.reference or DEFAULT_REFERENCE


@dataclass(frozen=True)
class BaseImage:
    """A base in the engine.

    ``origin`` says whether its distribution was pulled from a registry or made from packages, ``source`` names it
    and ``source_id`` is its digest; ``recipe`` is the digest of everything of ours that went in. ``made`` is
    whether this call had to make it. ``helper`` is the base of the engine's own architecture, set on one whose
    programs the engine cannot run.
    """

    tag: str
    id: str
    origin: Origin
    source: str
    source_id: str
    recipe: str
    target: Target
    config: ImageConfig
    made: bool = False
    helper: BaseImage | None = None

    @property
    def runnable(self) -> BaseImage:
        """The base whose interpreter does the work for this one: bytecode is the same for every architecture."""
        return self.helper or self


def from_inspection(tag: str, found: Mapping[str, Any]) -> BaseImage | None:
    """The base that an engine describes, or ``None`` when the description is not one of ours."""
    labels: dict[str, str] = (found.get("Config") or {}).get("Labels") or {}
    diff_ids = (found.get("RootFS") or {}).get("Layers") or []
    sizes = labels.get(LABEL_SIZES, "").split(",")
    origin = labels.get(LABEL_ORIGIN)
    if origin not in ("pulled", "packages") or len(sizes) != len(diff_ids):
        return None
    if not labels.keys() >= _NEEDED or not all(size.isdecimal() for size in sizes):
        return None
    architecture = str(found["Architecture"])
    layers = tuple(Layer("base", diff_id, int(size)) for diff_id, size in zip(diff_ids, sizes, strict=True))
    return BaseImage(
        tag=tag,
        id=str(found["Id"]),
        origin="pulled" if origin == "pulled" else "packages",
        source=labels[LABEL_SOURCE],
        source_id=labels[LABEL_SOURCE_ID],
        recipe=labels[LABEL_RECIPE],
        target=Target(labels[LABEL_PYTHON], labels[LABEL_GLIBC], architecture),
        config=ImageConfig(architecture, layers, dict(found["Config"]), labels),
    )
