"""Builds a plugin's image: resolve, fetch, dependencies, code. What is unchanged is found, not made again.

Nothing of the plugin and nothing of a wheel is executed on the host; build containers have no network. With
nothing changed a build is two calls to the engine, 8 ms here, because an image is computed before it is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from images.base import BaseImage, ensure_base
from images.build_phases import PhaseResult, Phases
from images.code import SourceFile, code_layer, file_changed
from images.engine_calls import inspect_image
from images.environment import cache_directory
from images.files import Cache
from images.image_config import ImageConfig, Layer
from images.installed import Installation, Installer
from images.layout import (
    DEPENDENCIES,
    LABEL_BASE,
    LABEL_LOCK,
    LABEL_PLUGIN,
    LABEL_ROLE,
    LABEL_TESTS,
    PYTEST,
    PYTEST_REQUIREMENTS,
)
from images.lock import resolve
from images.placing import Order, Placed, Route, matches, place
from images.pylock import Lock
from images.requirements import RequirementSet
from images.retired import Retired
from images.routes import RouteMemory
from images.tarball import FileChanged
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_bytes
from toolchain.core.errors import EngineRefused, UsageFault
from toolchain.core.reporter import Reporter

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
# pytest stays as it was resolved: upgrading a plugin's requirements is no reason to change its judge.
_NO_REQUIREMENTS: Final = RequirementSet()


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    ``with_tests`` adds pytest in a layer of its own, ``upgrade`` resolves anew, ``tag`` replaces the usual name,
    ``platform`` ("linux/amd64") must be the engine's own.
    """

    name: str
    files: tuple[SourceFile, ...]
    requirements: RequirementSet
    with_tests: bool = False
    upgrade: bool = False
    tag: str | None = None
    platform: str | None = None


@dataclass(frozen=True)
class BuiltImage:
    """An image in the engine. ``layers`` are all of it, lowest first; ``size`` is their sum in bytes."""

    id: str
    tag: str
    base: BaseImage
    lock: Lock
    layers: tuple[Layer, ...]
    size: int
    phases: tuple[PhaseResult, ...]
    route: Route
    test_lock: Lock | None = field(default=None, repr=False)


def build(
    request: BuildRequest, engine: ContainerEngine, reporter: Reporter, cache: Cache | None = None
) -> BuiltImage:
    """The image for ``request``, made or found.

    Raises ``DependencyFault`` and ``PluginFault`` for what the plugin must change, ``UsageFault`` for a bad name
    or platform, and ``NetworkUnavailable``, ``DownloadCorrupt``, ``StoreUnavailable``, ``ImageUnavailable``,
    ``EngineRefused`` and ``EngineUnavailable`` for what is not the plugin's doing.
    """
    if not _NAME.fullmatch(request.name):
        remedy = "use a letter, then letters, digits, `_` and `-`, 64 characters at most"
        raise UsageFault(f"{request.name!r} cannot be a plugin's name", remedy=remedy)
    if request.platform not in (None, f"linux/{engine.architecture}"):
        raise UsageFault(f"the engine builds linux/{engine.architecture} only", remedy="omit --platform")
    cache = cache or Cache(cache_directory())
    cache.sweep()
    try:
        return _Build(request, engine, reporter, cache).run()
    except FileChanged as reason:
        raise file_changed(reason) from reason


def usual_tag(name: str, *, with_tests: bool = False) -> str:
    """The name of a plugin's image. Repositories are lower case: a name with capitals gets a mark of its own."""
    lower = name.lower()
    # A repository may not end in a separator, nor hold two kinds of them in a row; plugins' names may.
    plain = lower == name and re.fullmatch(r"[a-z0-9]+((_|__|-+)[a-z0-9]+)*", name)
    body = name if plain else f"{re.sub(r'[^a-z0-9]+', '-', lower).strip('-')}-{sha256_bytes(name.encode())[:8]}"
    return f"mixpeek/{body}:cpu{'-tests' if with_tests else ''}"


class _Build:
    def __init__(self, request: BuildRequest, engine: ContainerEngine, reporter: Reporter, cache: Cache) -> None:
        self._request = request
        self._engine = engine
        self._cache = cache
        self._reporter = reporter
        self._phases = Phases(reporter)
        self._tag = request.tag or usual_tag(request.name, with_tests=request.with_tests)

    def run(self) -> BuiltImage:
        previous = inspect_image(self._engine, self._tag)
        base = ensure_base(self._engine, self._reporter, self._cache)
        wanted = self._resolve(base)
        installer = Installer(self._cache, self._engine, base, self._phases)
        layers = installer.install(wanted)
        with self._phases.run("code") as phase:
            code = code_layer(self._request.name, self._request.files, self._cache)
            phase.bytes = code.size
            image = self._image(base, wanted, (*layers, code))
            placed = self._placed(image, base, previous)
            phase.cached = placed is not None
            if placed is None:
                try:
                    placed = self._place(image, base)
                except EngineRefused:
                    # The engine lost a layer that we no longer have, or that a disk damaged: make it again.
                    repaired = installer.repair(wanted, layers)
                    if repaired is None:
                        raise
                    placed = self._place(self._image(base, wanted, (*repaired, code)), base)
        self._settle(placed.id, previous)
        size = sum(layer.size for layer in image.layers)
        tests = wanted[1].lock if len(wanted) > 1 else None
        return BuiltImage(
            placed.id,
            self._tag,
            base,
            wanted[0].lock,
            image.layers,
            size,
            self._phases.results,
            placed.route,
            tests,
        )

    def _resolve(self, base: BaseImage) -> tuple[Installation, ...]:
        """The locks, each with its place in the image."""
        request = self._request
        with self._phases.run("resolve") as phase:
            found = [resolve(request.requirements, base.target, self._cache, upgrade=request.upgrade)]
            wanted = [Installation(found[0].lock, DEPENDENCIES, "dependencies")]
            if request.with_tests:
                found.append(resolve(_NO_REQUIREMENTS, base.target, self._cache, platform=PYTEST_REQUIREMENTS))
                wanted.append(Installation(found[1].lock, PYTEST, "pytest"))
            phase.cached = all(resolution.cached for resolution in found)
            phase.note = f"{sum(len(entry.lock.wheels) for entry in wanted)} packages"
        return tuple(wanted)

    def _image(self, base: BaseImage, wanted: tuple[Installation, ...], layers: tuple[Layer, ...]) -> ImageConfig:
        labels = {
            LABEL_ROLE: "plugin",
            LABEL_PLUGIN: self._request.name,
            LABEL_LOCK: wanted[0].lock.digest,
            LABEL_BASE: base.id,
        }
        return base.config.on_top(layers, {**labels, LABEL_TESTS: "pytest"} if len(wanted) > 1 else labels)

    def _placed(self, image: ImageConfig, base: BaseImage, previous: Mapping[str, Any] | None) -> Placed | None:
        if base.made or previous is None or not matches(previous, image):
            return None
        return Placed(str(previous["Id"]), "present")

    def _place(self, image: ImageConfig, base: BaseImage) -> Placed:
        memory = RouteMemory(self._cache, self._engine)
        # Any plugin's image may have brought the layers below the code; believing so saves asking.
        held = frozenset(layer.diff_id for layer in image.layers[:-1])
        placed = place(self._engine, Order(image, self._tag, held, base.id, memory.routes()))
        memory.learn(placed.route)
        return placed

    def _settle(self, built: str, previous: Mapping[str, Any] | None) -> None:
        retired = Retired(self._cache, self._engine)
        retired.hand_out(built)
        if previous is not None and previous["Id"] != built:
            retired.retire(str(previous["Id"]))
        retired.settle()
