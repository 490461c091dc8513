"""Finds the base, restores it from the cache, or makes it."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Mapping
from typing import Any, Final, cast

from images.base.model import LABEL_SIZES, BaseImage, from_inspection
from images.base.normalise import normalised
from images.base.recipe import DOCKERFILE, Recipe, read_recipe
from images.base.source import DEFAULT_REFERENCE, Source, obtain_source
from images.engine_calls import LOAD_SECONDS, engine_faults, inspect_image, list_images, refused, remove_image
from images.environment import base_reference, cache_directory
from images.files import Cache
from images.image_config import ImageConfig, Layer, layer_of
from images.layout import (
    BASE_FACTS,
    LABEL_BASE,
    LABEL_GLIBC,
    LABEL_ORIGIN,
    LABEL_PYTHON,
    LABEL_RECIPE,
    LABEL_ROLE,
    LABEL_SOURCE,
    LABEL_SOURCE_ID,
)
from images.placing import place
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_json
from toolchain.core.errors import ImageUnavailable
from toolchain.core.reporter import Reporter, SilentReporter

_REPOSITORY: Final = "mixpeek/base"
# The Dockerfile's own result keeps this name, so that the engine's build cache keeps the slow first half.
_WORKSHOP: Final = "mixpeek/base-build"


def ensure_base(
    engine: ContainerEngine,
    reporter: Reporter | None = None,
    cache: Cache | None = None,
    *,
    reference: str | None = None,
    refresh: bool = False,
) -> BaseImage:
    """The base image for this engine, made if it is missing or our part of it changed; 3 ms when it is there.

    ``reference`` names another distribution image than ``MIXPEEK_BASE_IMAGE`` or the default; ``refresh`` asks for
    the distribution again. Raises ``ImageUnavailable``, ``NetworkUnavailable``, ``EngineRefused`` and
    ``EngineUnavailable``.
    """
    reporter = reporter or SilentReporter()
    cache = cache or Cache(cache_directory())
    wanted = reference or base_reference()
    recipe = read_recipe()
    key = sha256_json([recipe.digest, wanted or DEFAULT_REFERENCE])[:16]
    tag = f"{_REPOSITORY}:cpu-{engine.architecture}-{key}"
    if not refresh and (found := _known(engine, tag)):
        return found
    with cache.lock("base"):
        if not refresh and (found := _known(engine, tag)):
            return found
        return _make(engine, reporter, cache, recipe, tag, wanted)


def _known(engine: ContainerEngine, tag: str) -> BaseImage | None:
    found = inspect_image(engine, tag)
    return None if found is None else from_inspection(tag, found)


def _make(  # noqa: PLR0913
    engine: ContainerEngine, reporter: Reporter, cache: Cache, recipe: Recipe, tag: str, wanted: str | None
) -> BaseImage:
    source = obtain_source(engine, reporter, cache, engine.architecture, wanted)
    with reporter.phase("base") as phase:
        phase.advance(f"building {DOCKERFILE}")
        built = _build_dockerfile(engine, recipe, source)
        config = _composed(engine, cache, built, source, recipe)
        placed = place(engine, config, tag, (), source.id)
        phase.result = f"{source.origin}, {sum(layer.size for layer in config.layers) / 1e6:.1f} MB"
    found = _known(engine, tag)
    if found is None:
        raise ImageUnavailable(
            "the base was made but the engine does not show it", where=tag, remedy="mixpeek doctor"
        )
    _remove_older(engine, placed.id)
    return BaseImage(**{**vars(found), "made": True})


def _build_dockerfile(engine: ContainerEngine, recipe: Recipe, source: Source) -> dict[str, Any]:
    tag = f"{_WORKSHOP}:cpu-{engine.architecture}"
    previous = inspect_image(engine, tag)
    api = engine.client.api
    with engine_faults(engine, "building the base"):
        response = api.post(
            f"{api.base_url}/v{engine.api_version}/build",
            data=recipe.context(),
            params={
                "t": tag,
                "dockerfile": DOCKERFILE,
                "buildargs": json.dumps({"BASE": source.id}),
                "networkmode": "none",
                "rm": "1",
                "forcerm": "1",
            },
            headers={"Content-Type": "application/x-tar"},
            timeout=LOAD_SECONDS,
        )
        text = response.text
    problems = [event["error"] for line in text.splitlines() if "error" in (event := json.loads(line))]
    built = inspect_image(engine, tag)
    if response.status_code >= 400 or problems or built is None:
        raise refused("building the base", problems[0] if problems else text)
    if previous is not None and previous["Id"] != built["Id"]:
        remove_image(engine, previous["Id"])
    return built


def _composed(
    engine: ContainerEngine, cache: Cache, built: Mapping[str, Any], source: Source, recipe: Recipe
) -> ImageConfig:
    """What the Dockerfile made, rewritten without clocks: one layer of ours above the distribution's own."""
    below = _distribution_layers(engine, source)
    tar = cache.root / "bases" / f"{recipe.digest}-{source.digest[-16:]}.tar"
    with cache.replacing(cache.root / "tmp" / "base.saved") as stream:
        with engine_faults(engine, "reading the base back"):
            for chunk in engine.client.api.get_image(built["Id"]):
                stream.write(chunk)
        stream.flush()
        with tarfile.open(stream.name) as archive:
            sizes, facts = _rewrite(archive, len(below), cache, tar)
    saved = cache.root / "tmp" / "base.saved"
    saved.unlink(missing_ok=True)
    known = source.rootfs.layers if source.rootfs else ()
    lower = known or tuple(Layer("distribution", diff, size) for diff, size in zip(below, sizes, strict=True))
    ours = layer_of("base", (tar,))
    labels = {
        LABEL_ROLE: "base",
        LABEL_RECIPE: recipe.digest,
        LABEL_ORIGIN: source.origin,
        LABEL_SOURCE: source.name,
        LABEL_SOURCE_ID: source.digest,
        LABEL_PYTHON: facts["python"],
        LABEL_GLIBC: facts["glibc"],
        LABEL_SIZES: ",".join(str(layer.size) for layer in (*lower, ours)),
    }
    return ImageConfig(str(built["Architecture"]), (*lower, ours), dict(built["Config"]), labels)


def _distribution_layers(engine: ContainerEngine, source: Source) -> list[str]:
    found = inspect_image(engine, source.id)
    assert found is not None
    return list(found["RootFS"]["Layers"])


def _rewrite(archive: tarfile.TarFile, below: int, cache: Cache, tar: Any) -> tuple[list[int], dict[str, str]]:
    manifest = archive.extractfile("manifest.json")
    assert manifest is not None
    names = cast("list[str]", json.load(manifest)[0]["Layers"])
    sizes = [archive.getmember(name).size for name in names[:below]]
    layers = [archive.extractfile(name) for name in names[below:]]
    with cache.replacing(tar) as output:
        normalised([layer for layer in layers if layer is not None], output)
    with tarfile.open(tar) as ours:
        content = ours.extractfile(BASE_FACTS)
        assert content is not None
        return sizes, json.load(content)


def _remove_older(engine: ContainerEngine, current: str) -> None:
    """Bases of former recipes that no image is built on; the engine itself keeps those that a container uses."""
    used = {str((image.get("Labels") or {}).get(LABEL_BASE)) for image in list_images(engine, LABEL_BASE)}
    for image in list_images(engine, f"{LABEL_ROLE}=base"):
        if image["Id"] != current and image["Id"] not in used:
            for tag in image.get("RepoTags") or [image["Id"]]:
                remove_image(engine, tag)
