"""A base as a value: the distribution's layers, one layer of ours above, and labels that say what it is."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from images.base.model import LABEL_SIZES
from images.base.recipe import Recipe
from images.base.source import Source
from images.files import Cache
from images.image_config import ImageConfig, Layer, layer_of
from images.layout import (
    BASE_FACTS,
    LABEL_ACCELERATOR,
    LABEL_GLIBC,
    LABEL_ORIGIN,
    LABEL_PYTHON,
    LABEL_RECIPE,
    LABEL_ROLE,
    LABEL_SOURCE,
    LABEL_SOURCE_ID,
)
from images.target import MACHINES
from toolchain.core.errors import EngineRefused, ImageUnavailable
from toolchain.core.tarball import file_part


@dataclass(frozen=True)
class Prepared:
    """What a preparation gave: ``ours`` is our layer's tar, ``lower`` the distribution's layers below it."""

    ours: Path
    lower: tuple[Layer, ...]
    run: Mapping[str, Any]


def place_of_ours(cache: Cache, recipe: Recipe, source: Source) -> Path:
    """Where the tar of our layer lies: one for each recipe and distribution."""
    return cache.root / "bases" / f"{recipe.digest[:32]}-{source.digest[-32:]}.tar"


def assembled(recipe: Recipe, source: Source, prepared: Prepared) -> ImageConfig:
    """The base. Raises ``EngineRefused`` without the preparation's facts, ``ImageUnavailable`` for wrong ones."""
    facts = _facts(prepared.ours)
    if facts["machine"] != MACHINES.get(source.architecture):
        raise ImageUnavailable(
            f"the distribution is said to be for {source.architecture}, and its Python is for {facts['machine']}",
            where=source.name,
            remedy="choose another base image",
        )
    lower = source.rootfs.layers if source.rootfs else prepared.lower
    layers = (*lower, layer_of("base", (file_part(prepared.ours),)))
    labels = _labels(recipe, source, facts, layers)
    return ImageConfig(source.architecture, layers, dict(prepared.run), labels)


def _labels(recipe: Recipe, source: Source, facts: Mapping[str, str], layers: tuple[Layer, ...]) -> dict[str, str]:
    # A CPU base says nothing, as those of earlier versions do.
    accelerator = {} if recipe.variant.accelerator == "cpu" else {LABEL_ACCELERATOR: recipe.variant.accelerator}
    return {
        **accelerator,
        LABEL_ROLE: "base",
        LABEL_RECIPE: recipe.digest,
        LABEL_ORIGIN: source.origin,
        LABEL_SOURCE: source.name,
        LABEL_SOURCE_ID: source.digest,
        LABEL_PYTHON: facts["python"],
        LABEL_GLIBC: facts["glibc"],
        LABEL_SIZES: ",".join(str(layer.size) for layer in layers),
    }


def _facts(tar: Path) -> dict[str, str]:
    """What the preparation found out about the interpreter."""
    with tarfile.open(tar) as archive:
        content = archive.extractfile(BASE_FACTS)
        if content is None:
            raise EngineRefused("the preparation left no facts", where=BASE_FACTS, remedy="reinstall mixpeek")
        facts: dict[str, str] = json.load(content)
        return facts
