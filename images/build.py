"""Builds a plugin's image: resolve, fetch, dependencies, code. What is unchanged is found, not made again.

Nothing of the plugin and nothing of a wheel is executed on the host; build containers have no network. With nothing
changed a build is two calls to the engine, which is why ids are computed before they are asked for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from images.base import BaseImage, ensure_base
from images.build_phases import PhaseResult, Phases
from images.code import SourceFile, code_layer
from images.dependencies import DependencyLayers
from images.engine_calls import inspect_image, remove_image
from images.environment import cache_directory
from images.files import Cache
from images.image_config import ImageConfig, Layer
from images.layout import DEPENDENCIES, LABEL_BASE, LABEL_LOCK, LABEL_PLUGIN, LABEL_ROLE, LABEL_TESTS, PYTEST
from images.lock import PYTEST_REQUIREMENTS, resolve
from images.placing import Route, place
from images.pylock import Lock
from images.requirements import RequirementSet
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_bytes
from toolchain.core.errors import UsageFault
from toolchain.core.reporter import Reporter, SilentReporter

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class BuildRequest:
    """What to build. ``with_tests`` adds pytest; ``upgrade`` resolves anew; ``tag`` replaces the usual name."""

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
    request: BuildRequest, engine: ContainerEngine, reporter: Reporter | None = None, cache: Cache | None = None
) -> BuiltImage:
    """The image for ``request``, made or found.

    Raises ``DependencyFault`` and ``PluginFault`` for what the plugin must change, ``NetworkUnavailable``,
    ``DownloadCorrupt``, ``StoreUnavailable``, ``ImageUnavailable``, ``EngineRefused`` and ``EngineUnavailable``
    for what it need not.
    """
    _check(request, engine)
    cache = cache or Cache(cache_directory())
    cache.sweep()
    return _Build(request, engine, reporter or SilentReporter(), cache).run()


def usual_tag(name: str, *, with_tests: bool = False) -> str:
    """The name of a plugin's image. Repositories are lower case, so a name with capitals gets a mark of its own."""
    lower = name.lower()
    mark = "" if lower == name else f"-{sha256_bytes(name.encode())[:8]}"
    return f"mixpeek/{lower}{mark}:cpu{'-tests' if with_tests else ''}"


def _check(request: BuildRequest, engine: ContainerEngine) -> None:
    if not _NAME.fullmatch(request.name):
        raise UsageFault(
            f"{request.name!r} cannot be a plugin's name", remedy="use a letter, then letters, digits, `_` and `-`"
        )
    if request.platform not in (None, f"linux/{engine.architecture}"):
        raise UsageFault(f"{request.platform} is not this engine's platform", remedy="omit --platform")


class _Build:
    def __init__(self, request: BuildRequest, engine: ContainerEngine, reporter: Reporter, cache: Cache) -> None:
        self._request = request
        self._engine = engine
        self._cache = cache
        self._phases = Phases(reporter)
        self._reporter = reporter
        self._dependencies = DependencyLayers(cache)

    def run(self) -> BuiltImage:
        request, engine = self._request, self._engine
        tag = request.tag or usual_tag(request.name, with_tests=request.with_tests)
        previous = inspect_image(engine, tag)
        base = ensure_base(engine, self._reporter, self._cache)
        locks = self._resolve(base)
        layers = self._installed(locks, base)
        with self._phases.run("code") as phase:
            code = code_layer(request.name, request.files)
            image = base.config.on_top((*layers, code), self._labels(base, locks[0][0]))
            phase.bytes = code.size
            if previous is not None and previous["Id"] == image.id:
                phase.cached = True
                route: Route = "present"
                built = image.id
            else:
                placed = place(engine, image, tag, self._held(base, previous, image), base.id)
                built, route = placed.id, placed.route
        if previous is not None and previous["Id"] != built:
            remove_image(engine, previous["Id"])
        size = sum(layer.size for layer in image.layers)
        test_lock = locks[1][0] if len(locks) > 1 else None
        return BuiltImage(
            built, tag, base, locks[0][0], image.layers, size, self._phases.results, route, test_lock
        )

    def _resolve(self, base: BaseImage) -> list[tuple[Lock, str, str]]:
        """Each lock with where it is installed and what its layer is called."""
        request = self._request
        with self._phases.run("resolve") as phase:
            found = resolve(request.requirements, base.target, self._cache, upgrade=request.upgrade)
            locks = [(found.lock, DEPENDENCIES, "dependencies")]
            phase.cached = found.cached
            if request.with_tests:
                tests = resolve(RequirementSet(), base.target, self._cache, platform=PYTEST_REQUIREMENTS)
                locks.append((tests.lock, PYTEST, "pytest"))
                phase.cached = phase.cached and tests.cached
            phase.note = f"{sum(len(lock.wheels) for lock, _, _ in locks)} packages"
        return locks

    def _installed(self, locks: list[tuple[Lock, str, str]], base: BaseImage) -> tuple[Layer, ...]:
        known = [self._dependencies.recorded(lock, root, role) for lock, root, role in locks]
        layers = [entry.layer for entry in known if entry is not None]
        complete = all(entry is not None and entry.complete for entry in known)
        wheels = {}
        with self._phases.run("fetch") as phase:
            phase.cached = complete
            if not complete:
                for lock, _, _ in locks:
                    paths, downloaded = self._dependencies.fetch(
                        lock, lambda done: phase.advance(f"{done / 1e6:.1f} MB")
                    )
                    wheels.update(paths)
                    phase.bytes += downloaded
                phase.cached = phase.bytes == 0
        with self._phases.run("dependencies") as phase:
            phase.cached = complete
            if not complete:
                layers = [
                    self._dependencies.make(lock, root, role, wheels, self._engine, base, phase.advance)
                    for lock, root, role in locks
                ]
            phase.bytes = sum(layer.size for layer in layers)
        return tuple(layers)

    def _labels(self, base: BaseImage, lock: Lock) -> dict[str, str]:
        labels = {
            LABEL_ROLE: "plugin",
            LABEL_PLUGIN: self._request.name,
            LABEL_LOCK: lock.digest,
            LABEL_BASE: base.id,
        }
        return {**labels, LABEL_TESTS: "pytest"} if self._request.with_tests else labels

    def _held(self, base: BaseImage, previous: object, image: ImageConfig) -> set[str]:
        """Layers to leave out of the archive at first: all but the code, if the engine has seen them."""
        del previous, base
        return {layer.diff_id for layer in image.layers if layer.role != "code"}
