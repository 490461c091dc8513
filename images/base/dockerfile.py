"""Builds a base's Dockerfile and rewrites its result without clocks."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from images.base.model import LABEL_SIZES
from images.base.normalise import normalised
from images.base.recipe import Recipe
from images.base.source import Source
from images.engine_calls import build_image, inspect_image, list_images, remove_image
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
from toolchain.core.containers.faults import engine_errors
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import EngineRefused
from toolchain.core.tarball import file_part

# The Dockerfile's own result keeps this name, so that the engine's build cache keeps the slow first half.
_WORKSHOP: Final = "mixpeek/base-build"
_ROLE: Final = "base-build"


def make_base(engine: ContainerEngine, cache: Cache, recipe: Recipe, source: Source) -> ImageConfig:
    """The base on ``source`` as a value: the distribution's layers and one of ours above, at hand in the cache.

    About 4 s, and 2 s when only the runtime's files changed. Raises ``EngineRefused`` and ``EngineUnavailable``.
    """
    variant = recipe.variant
    tag = f"{_WORKSHOP}:{variant.accelerator}-{engine.architecture}"
    arguments, labels = json.dumps({"BASE": source.id}), json.dumps({LABEL_ROLE: _ROLE})
    options = {"dockerfile": variant.dockerfile, "buildargs": arguments, "labels": labels}
    built = build_image(engine, recipe.context(), tag, **options)
    for image in list_images(engine, f"{LABEL_ROLE}={_ROLE}"):
        # Named ones keep the build cache; one that lost its name, to this build or another, keeps nothing.
        if set(image.get("RepoTags") or []) <= {"<none>:<none>"}:
            remove_image(engine, str(image["Id"]))
    return _rewritten(engine, cache, recipe, source, built)


def _rewritten(
    engine: ContainerEngine, cache: Cache, recipe: Recipe, source: Source, built: Mapping[str, Any]
) -> ImageConfig:
    found = inspect_image(engine, source.id)
    below: list[str] = found["RootFS"]["Layers"] if found else []
    tar = cache.root / "bases" / f"{recipe.digest[:32]}-{source.digest[-32:]}.tar"
    with cache.temporary("base") as (path, stream):
        with engine_errors("read the base back"):
            for chunk in engine.client.api.get_image(str(built["Id"])):
                stream.write(chunk)
        stream.flush()
        sizes = _extract(path, len(below), cache, tar)
    lower = tuple(Layer("distribution", diff_id, size) for diff_id, size in zip(below, sizes, strict=True))
    layers = (*(source.rootfs.layers if source.rootfs else lower), layer_of("base", (file_part(tar),)))
    labels = _labels(recipe, source, _facts(tar), layers)
    return ImageConfig(str(built["Architecture"]), layers, dict(built["Config"]), labels)


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


def _extract(saved: Path, below: int, cache: Cache, tar: Path) -> list[int]:
    """Write our layers of a saved image as one to ``tar``; returns the sizes in bytes of the ``below`` lowest."""
    with tarfile.open(saved) as archive:
        manifest = archive.extractfile("manifest.json")
        names: list[str] = json.load(manifest)[0]["Layers"] if manifest else []
        contents = [archive.extractfile(name) for name in names]
        layers = [content for content in contents if content is not None]
        if len(layers) != len(names) or len(names) <= below:
            raise EngineRefused("the engine saved an image without all its layers", remedy="run `mixpeek doctor`")
        with cache.replacing(tar) as output:
            # podman mounts below /run while it builds, and the folder shows up as changed.
            normalised(layers[below:], output, {"run"})
        return [content.seek(0, 2) for content in layers[:below]]


def _facts(tar: Path) -> dict[str, str]:
    """What the preparation found out about the interpreter."""
    with tarfile.open(tar) as archive:
        content = archive.extractfile(BASE_FACTS)
        if content is None:
            raise EngineRefused("the Dockerfile left no facts", where=BASE_FACTS, remedy="reinstall mixpeek")
        facts: dict[str, str] = json.load(content)
        return facts
