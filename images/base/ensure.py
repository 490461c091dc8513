"""Finds the base, restores it from the cache, or makes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from images.base.catalogue import CATALOGUE, Accelerator
from images.base.model import BaseImage, Wanted, from_inspection
from images.base.recipe import Recipe, read_recipe
from images.base.shelf import keep, restore
from images.engine_calls import inspect_image, list_images, remove_image
from images.environment import base_reference, cache_directory
from images.files import Cache
from images.layout import LABEL_BASE, LABEL_RECIPE, LABEL_ROLE
from images.placing import Order, place
from images.stepwise import Below
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_json
from toolchain.core.errors import ImageUnavailable
from toolchain.core.reporter import Reporter

REPOSITORY: Final = "mixpeek/base"


@dataclass(frozen=True)
class BaseChoice:
    """Which base: from the catalogue by ``accelerator``, for ``architecture`` (``None``: the engine's own).

    ``reference`` names another distribution image than ``MIXPEEK_BASE_IMAGE`` or the default, ``refresh`` asks
    for the distribution again.
    """

    accelerator: Accelerator = "cpu"
    architecture: str | None = None
    reference: str | None = None
    refresh: bool = False


def ensure_base(
    engine: ContainerEngine, reporter: Reporter, cache: Cache | None = None, choice: BaseChoice | None = None
) -> BaseImage:
    """The base image in this engine, made if it is missing or our part of it changed; 4 ms when it is there.

    One for another architecture than the engine's is prepared by the engine's own base, which is made first.
    Raises ``ImageUnavailable``, ``NetworkUnavailable``, ``StoreUnavailable``, ``EngineRefused`` and
    ``EngineUnavailable``.
    """
    choice = choice or BaseChoice()
    cache = cache or Cache(cache_directory())
    architecture = choice.architecture or engine.architecture
    helper = None
    if architecture != engine.architecture:
        helper = ensure_base(engine, reporter, cache, replace(choice, architecture=None))
    recipe = read_recipe(CATALOGUE[choice.accelerator])
    wanted = Wanted(choice.reference or base_reference(), architecture, choice.refresh)
    work = _Work(engine, reporter, cache, recipe, wanted, helper)
    return replace(work.obtain(), helper=helper)


@dataclass(frozen=True)
class _Work:
    """Everything that making one base needs."""

    engine: ContainerEngine
    reporter: Reporter
    cache: Cache
    recipe: Recipe
    wanted: Wanted
    helper: BaseImage | None

    @property
    def series(self) -> str:
        """The name that bases of former recipes share."""
        return f"{REPOSITORY}:{self.recipe.variant.accelerator}-{self.wanted.architecture}-"

    @property
    def tag(self) -> str:
        return self.series + sha256_json([self.recipe.digest, self.wanted.name])[:16]

    def obtain(self) -> BaseImage:
        if not self.wanted.refresh and (found := self._known()):
            return found
        with self.cache.lock("base"):
            if not self.wanted.refresh:
                if found := self._known():
                    return found
                if restore(self.engine, self.cache, self.tag) and (found := self._known()):
                    return replace(found, made=True)
            self._make()
        found = self._known()
        if found is None:
            raise ImageUnavailable(
                "the base was made and the engine does not show it", where=self.tag, remedy="run `mixpeek doctor`"
            )
        self._remove_older(found.id)
        return replace(found, made=True)

    def _make(self) -> None:
        # Once on a machine; every other command does without the 20 ms that these cost.
        from images.base.dockerfile import make_base
        from images.base.foreign import make_foreign_base
        from images.base.source import obtain_source

        source = obtain_source(self.engine, self.reporter, self.cache, self.wanted)
        with self.reporter.phase("base") as phase:
            phase.advance(f"building {self.recipe.variant.dockerfile}")
            if self.helper is None:
                config = make_base(self.engine, self.cache, self.recipe, source)
            else:
                config = make_foreign_base(self.engine, self.cache, self.recipe, source, self.helper)
            lower = frozenset(source.diff_ids)
            below = Below(source.id, len(source.diff_ids), {})
            place(self.engine, Order(config, self.tag, lower, below))
            keep(self.cache, self.tag, config, source.id)
            phase.result = f"{sum(layer.size for layer in config.layers) / 1e6:.1f} MB"

    def _known(self) -> BaseImage | None:
        found = inspect_image(self.engine, self.tag)
        return None if found is None else from_inspection(self.tag, found)

    def _remove_older(self, current: str) -> None:
        """Bases of former recipes that no image is built on; the engine keeps those that a container uses."""
        used = {str((image.get("Labels") or {}).get(LABEL_BASE)) for image in list_images(self.engine, LABEL_BASE)}
        for image in list_images(self.engine, f"{LABEL_ROLE}=base"):
            # podman names them with "localhost/" in front. One of this recipe stands on another distribution.
            names = [name for name in image.get("RepoTags") or [] if name != "<none>:<none>"]
            former = (image.get("Labels") or {}).get(LABEL_RECIPE) != self.recipe.digest
            if image["Id"] not in {current, *used} and (former or not names):
                for name in names or [str(image["Id"])]:
                    if self.series in name or not names:
                        remove_image(self.engine, name)
