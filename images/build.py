"""Builds a plugin's image: resolve, fetch, dependencies, code. What is unchanged is found, not made again.

Nothing of the plugin and nothing of a wheel is executed on the host; build containers have no network. With
nothing changed a build is two calls to the engine, 8 ms here, because an image is computed before it is asked for.
"""

from __future__ import annotations

import re
import sysconfig
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from images import plugin_lock
from images.base import BaseChoice, BaseImage, ensure_base
from images.base.catalogue import Accelerator
from images.build_container import any_abandoned, remove_abandoned
from images.build_phases import PhaseResult, Phases
from images.code import SourceFile, code_layer, file_changed
from images.cuda import CudaNeeds, cuda_labels, cuda_needs, summary
from images.dependencies import Installation
from images.engine_calls import inspect_image
from images.environment import cache_directory
from images.files import Cache
from images.image_config import ImageConfig, Layer
from images.installed import Installed, Installer
from images.layout import LABEL_BASE, LABEL_LOCK, LABEL_PLUGIN, LABEL_ROLE, LABEL_TESTS, PYTEST_REQUIREMENTS
from images.lock import Resolution, resolve
from images.placing import Order, Placed, Route, matches, place
from images.preload import Preload
from images.pylock import Lock
from images.requirements import RequirementSet
from images.retired import Retired
from images.routes import RouteMemory
from images.stepwise import Below
from images.target import MACHINES
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_bytes
from toolchain.core.errors import EngineRefused, UsageFault
from toolchain.core.image_layout import DEPENDENCIES, PYTEST
from toolchain.core.reporter import Reporter
from toolchain.core.tarball import FileChanged

_DOMAIN: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PART: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REFERENCE: Final = re.compile(
    rf"(?:{_DOMAIN}(?:\.{_DOMAIN})*(?::[0-9]+)?/)?{_PART}(?:/{_PART})*(?::\w[\w.-]{{0,127}})?", re.ASCII
)
_LONGEST_NAME: Final = 255
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
# pytest stays as it was resolved: upgrading a plugin's requirements is no reason to change its judge.
_NO_REQUIREMENTS: Final = RequirementSet()


@dataclass(frozen=True)
class BuildRequest:
    """What to build.

    ``with_tests`` adds pytest in a layer of its own, ``upgrade`` resolves anew, ``tag`` replaces the usual name,
    ``architecture`` ("amd64", "arm64") is the engine's own when ``None``; an image for another is built and cannot
    be run here. ``accelerator`` chooses base, lock and labels. ``lock`` is the text of the plugin's own lock: used
    while it answers the requirements, and with ``locked`` alone.
    """

    name: str
    files: tuple[SourceFile, ...]
    requirements: RequirementSet
    with_tests: bool = False
    upgrade: bool = False
    tag: str | None = None
    architecture: str | None = None
    accelerator: Accelerator = "cpu"
    lock: str | None = field(default=None, repr=False)
    locked: bool = False


@dataclass(frozen=True)
class BuiltImage:
    """An image in the engine. ``layers`` are all of it, lowest first; ``size`` is their sum in bytes.

    ``cuda`` is what a CUDA image needs, ``None`` for a CPU image and for one whose packages need no CUDA.
    """

    id: str
    tag: str
    base: BaseImage
    lock: Lock
    layers: tuple[Layer, ...]
    size: int
    phases: tuple[PhaseResult, ...]
    route: Route
    test_lock: Lock | None = field(default=None, repr=False)
    cuda: CudaNeeds | None = None


def build(
    request: BuildRequest, engine: ContainerEngine, reporter: Reporter, cache: Cache | None = None
) -> BuiltImage:
    """The image for ``request``, made or found.

    Raises ``DependencyFault``, ``LockStale`` and ``PluginFault`` for what the plugin must change, ``UsageFault``
    for a bad name, and ``NetworkUnavailable``, ``DownloadCorrupt``, ``StoreUnavailable``,
    ``ImageUnavailable``, ``EngineRefused`` and ``EngineUnavailable`` for what is not the plugin's doing.
    """
    if not _NAME.fullmatch(request.name):
        remedy = "use a letter, then letters, digits, `_` and `-`, 64 characters at most"
        raise UsageFault(f"{request.name!r} cannot be a plugin's name", remedy=remedy)
    cache = cache or Cache(cache_directory())
    cache.sweep()
    try:
        return _Build(request, engine, reporter, cache).run()
    except FileChanged as reason:
        raise file_changed(reason) from reason


def platform_architecture(platform: str) -> str:
    """The engine's name of the architecture in ``linux/ARCHITECTURE``. Raises ``UsageFault`` for any other."""
    system, _, architecture = platform.partition("/")
    if system != "linux" or architecture not in MACHINES:
        known = " or ".join(f"linux/{name}" for name in MACHINES)
        raise UsageFault(f"{platform!r} is no platform that images are made for", remedy=f"use {known}")
    return architecture


def require_tag(tag: str) -> None:
    """Raise ``UsageFault`` unless an engine takes ``tag`` as the name of an image.

    Source: https://github.com/distribution/reference, ``reference.go``, without a digest.
    """
    if not _REFERENCE.fullmatch(tag) or len(re.sub(r":[^:/]*$", "", tag)) > _LONGEST_NAME:
        raise UsageFault(
            f"{tag!r} cannot name an image",
            where="--tag",
            remedy="use lower-case letters, digits, `.`, `_`, `-` and `/`, as in team/plugin:1.0",
        )


def usual_tag(
    name: str, *, with_tests: bool = False, accelerator: Accelerator = "cpu", foreign: str | None = None
) -> str:
    """The name of a plugin's image. Repositories are lower case: a name with capitals gets a mark of its own.

    ``foreign`` is the architecture of an image that is not for the engine's own.
    """
    lower = name.lower()
    # A repository may not end in a separator, nor hold two kinds of them in a row; plugins' names may.
    plain = lower == name and re.fullmatch(r"[a-z0-9]+((_|__|-+)[a-z0-9]+)*", name)
    body = name if plain else f"{re.sub(r'[^a-z0-9]+', '-', lower).strip('-')}-{sha256_bytes(name.encode())[:8]}"
    return f"mixpeek/{body}:{accelerator}{f'-{foreign}' if foreign else ''}{'-tests' if with_tests else ''}"


class _Build:
    def __init__(self, request: BuildRequest, engine: ContainerEngine, reporter: Reporter, cache: Cache) -> None:
        self._request = request
        self._engine = engine
        self._cache = cache
        self._reporter = reporter
        self._phases = Phases(reporter)
        self._cuda: CudaNeeds | None = None
        self._architecture = request.architecture or engine.architecture
        foreign = None if self._architecture == engine.architecture else self._architecture
        self._tag = request.tag or usual_tag(
            request.name, with_tests=request.with_tests, accelerator=request.accelerator, foreign=foreign
        )

    def run(self) -> BuiltImage:
        if any_abandoned(self._cache):
            remove_abandoned(self._engine, self._cache)
        previous = inspect_image(self._engine, self._tag)
        choice = BaseChoice(self._request.accelerator, self._architecture)
        base = ensure_base(self._engine, self._reporter, self._cache, choice)
        with (
            Preload(self._engine, self._cache, base, previous) as preload,
            Installer(self._cache, self._engine, base, self._phases, preload) as installer,
        ):
            wanted = self._resolve(base, installer.expect)
            installed = installer.install(wanted)
            with self._phases.run("code") as phase:
                code = code_layer(self._request.name, self._request.files, self._cache)
                phase.bytes = code.size
                image = self._image(base, wanted, (*installed.layers, code))
                placed = self._placed(image, previous)
                phase.cached = placed is not None
                if placed is None:
                    image, placed = self._place_or_repair(image, base, wanted, installer, installed)
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
            self._cuda,
        )

    def _resolve(self, base: BaseImage, expect: Callable[[], None]) -> tuple[Installation, ...]:
        """The locks, each with its place in the image; ``expect`` is called if the resolver has to be asked."""
        request = self._request
        # uv and packaging ask sysconfig, whose first use is not safe in two threads (CPython 3.11 shows a table
        # half filled): fill it before there are two.
        sysconfig.get_config_vars()
        with self._phases.run("resolve") as phase, ThreadPoolExecutor(1, "resolve") as pool:
            # Beside the plugin's: a resolver waits for the network most of its 0.4 s.
            tests = pool.submit(self._resolve_pytest, base, expect) if request.with_tests else None
            resolution = self._own_lock(base) or resolve(
                request.requirements,
                base.target,
                self._cache,
                accelerator=request.accelerator,
                upgrade=request.upgrade,
                before=expect,
            )
            found = [resolution]
            wanted = [Installation(resolution.lock, DEPENDENCIES, "dependencies")]
            if tests is not None:
                found.append(tests.result())
                wanted.append(Installation(found[1].lock, PYTEST, "pytest"))
            phase.cached = all(resolution.cached for resolution in found)
            phase.note = f"{sum(len(entry.lock.wheels) for entry in wanted)} packages"
            if request.accelerator == "cuda":
                # Before anything is fetched: a conflict is told by names, and CUDA's wheels weigh gigabytes.
                self._cuda = cuda_needs(wanted[0].lock.wheels)
                phase.note += f", {summary(self._cuda)}"
        return tuple(wanted)

    def _own_lock(self, base: BaseImage) -> Resolution | None:
        """The lock that the plugin carries; ``None`` when a new one may and must be made."""
        request = self._request
        if request.requirements.findings or (request.upgrade and not request.locked):
            return None
        try:
            file = plugin_lock.filename(request.accelerator, self._architecture)
            return Resolution(plugin_lock.read(request.lock, request.requirements, base.target, file), cached=True)
        except plugin_lock.LockStale:
            if request.locked:
                raise
            return None

    def _resolve_pytest(self, base: BaseImage, expect: Callable[[], None]) -> Resolution:
        return resolve(_NO_REQUIREMENTS, base.target, self._cache, platform=PYTEST_REQUIREMENTS, before=expect)

    def _image(self, base: BaseImage, wanted: tuple[Installation, ...], layers: tuple[Layer, ...]) -> ImageConfig:
        labels = {
            LABEL_ROLE: "plugin",
            LABEL_PLUGIN: self._request.name,
            LABEL_LOCK: wanted[0].lock.digest,
            LABEL_BASE: base.id,
        }
        if self._request.accelerator == "cuda":
            labels |= cuda_labels(self._cuda)
        return base.config.on_top(layers, {**labels, LABEL_TESTS: "pytest"} if len(wanted) > 1 else labels)

    def _placed(self, image: ImageConfig, previous: Mapping[str, Any] | None) -> Placed | None:
        if previous is None or not matches(previous, image):
            return None
        return Placed(str(previous["Id"]), "present")

    def _place_or_repair(
        self,
        image: ImageConfig,
        base: BaseImage,
        wanted: tuple[Installation, ...],
        installer: Installer,
        installed: Installed,
    ) -> tuple[ImageConfig, Placed]:
        try:
            return image, self._place(image, base, installed.held)
        except (EngineRefused, FileChanged):
            # The engine lost a layer that we no longer have, or that a disk damaged: make it again.
            repaired = installer.repair(wanted, installed.layers)
            if repaired is None:
                raise
        mended = self._image(base, wanted, (*repaired.layers, image.layers[-1]))
        return mended, self._place(mended, base, repaired.held)

    def _place(self, image: ImageConfig, base: BaseImage, held: frozenset[str]) -> Placed:
        memory = RouteMemory(self._cache, self._engine)
        below = Below(base.id, len(base.config.layers), base.config.run)
        placed = place(self._engine, Order(image, self._tag, held, below, memory.routes()))
        memory.learn(placed.route)
        return placed

    def _settle(self, built: str, previous: Mapping[str, Any] | None) -> None:
        retired = Retired(self._cache, self._engine)
        retired.hand_out(built)
        if previous is not None and previous["Id"] != built:
            retired.retire(str(previous["Id"]))
        retired.settle()
