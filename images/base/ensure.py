"""Finds the base, restores it from the cache, or makes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from images.base.catalogue import CATALOGUE, Accelerator
from images.base.dockerfile import make_base
from images.base.model import BaseImage, from_inspection
from images.base.recipe import read_recipe
from images.base.shelf import keep, restore
from images.base.source import Wanted, obtain_source
from images.engine_calls import inspect_image, list_images, remove_image
from images.environment import base_reference, cache_directory
from images.files import Cache
from images.layout import LABEL_ACCELERATOR, LABEL_BASE, LABEL_ROLE
from images.placing import Order, place
from images.stepwise import Below
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_json
from toolchain.core.errors import ImageUnavailable
from toolchain.core.reporter import Reporter

REPOSITORY: Final = "mixpeek/base"


def ensure_base(  # noqa: PLR0913 - the last three say which base
    engine: ContainerEngine,
    reporter: Reporter,
    cache: Cache | None = None,
    *,
    accelerator: Accelerator = "cpu",
    reference: str | None = None,
    refresh: bool = False,
) -> BaseImage:
    """The base image for this engine, made if it is missing or our part of it changed; 4 ms when it is there.

    ``accelerator`` chooses from the catalogue, ``reference`` names another distribution image than
    ``MIXPEEK_BASE_IMAGE`` or the default, ``refresh`` asks for the distribution again. Raises
    ``ImageUnavailable``, ``NetworkUnavailable``, ``StoreUnavailable``, ``EngineRefused`` and
    ``EngineUnavailable``.
    """
    cache = cache or Cache(cache_directory())
    wanted = Wanted(reference or base_reference(), engine.architecture, refresh)
    recipe = read_recipe(CATALOGUE[accelerator])
    tag = f"{REPOSITORY}:{accelerator}-{engine.architecture}-{sha256_json([recipe.digest, wanted.name])[:16]}"
    if not refresh and (found := _known(engine, tag)):
        return found
    with cache.lock("base"):
        if not refresh:
            if found := _known(engine, tag):
                return found
            if restore(engine, cache, tag) and (found := _known(engine, tag)):
                return replace(found, made=True)
        source = obtain_source(engine, reporter, cache, wanted)
        with reporter.phase("base") as phase:
            phase.advance(f"building {recipe.variant.dockerfile}")
            config = make_base(engine, cache, recipe, source)
            lower = frozenset(layer.diff_id for layer in config.layers[:-1])
            place(engine, Order(config, tag, lower, Below(source.id, len(lower), {})))
            keep(cache, tag, config, source.id)
            phase.result = f"{sum(layer.size for layer in config.layers) / 1e6:.1f} MB"
    found = _known(engine, tag)
    if found is None:
        raise ImageUnavailable(
            "the base was made and the engine does not show it", where=tag, remedy="run `mixpeek doctor`"
        )
    _remove_older(engine, found.id, accelerator)
    return replace(found, made=True)


def _known(engine: ContainerEngine, tag: str) -> BaseImage | None:
    found = inspect_image(engine, tag)
    return None if found is None else from_inspection(tag, found)


def _remove_older(engine: ContainerEngine, current: str, accelerator: Accelerator) -> None:
    """Bases of former recipes that no image is built on; the engine itself keeps those that a container uses."""
    used = {str((image.get("Labels") or {}).get(LABEL_BASE)) for image in list_images(engine, LABEL_BASE)}
    for image in list_images(engine, f"{LABEL_ROLE}=base"):
        kind = (image.get("Labels") or {}).get(LABEL_ACCELERATOR, "cpu")
        if kind == accelerator and image["Id"] != current and image["Id"] not in used:
            for tag in image.get("RepoTags") or [image["Id"]]:
                remove_image(engine, tag)
