"""The phases between lock and code: fetch what is missing, make the layers that are not on record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING

from images.base import BaseImage
from images.build_phases import Phases
from images.cache import prune
from images.collisions import note
from images.compile_container import Compiler
from images.dependencies import DependencyLayers, Installation, Unpacked, alone, arranged, is_large
from images.files import Cache
from images.fragments import Fragment
from images.gathering import Ready
from images.image_config import Layer
from images.preload import Preload
from images.tools import Tools
from toolchain.core.containers.model import ContainerEngine

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(frozen=True)
class Installed:
    """Layers in their order, and the diff ids that the engine is believed to hold, the base's among them."""

    layers: tuple[Layer, ...]
    held: frozenset[str]


class Installer:
    """Turns installations into layers, through the cache. A context: at its end nothing of it runs any more."""

    def __init__(
        self, cache: Cache, engine: ContainerEngine, base: BaseImage, phases: Phases, preload: Preload
    ) -> None:
        self._cache = cache
        self._layers = DependencyLayers(cache, base)
        self._engine = engine
        self._base = base
        self._phases = phases
        self._preload = preload
        self._below = frozenset(layer.diff_id for layer in base.config.layers)
        self._started: Tools | None = None
        self._starting = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._started is not None:
            self._started.close()

    def expect(self) -> None:
        """There will be layers to make: start what that takes, beside whatever comes first; from any thread."""
        with self._starting:
            if self._started is None:
                self._started = Tools(self._cache, self._engine, self._base)

    def install(self, wanted: tuple[Installation, ...]) -> Installed:
        """The layers of ``wanted``. Those on record are named by it, also when their pieces were pruned since."""
        known = [self._layers.recorded(entry) for entry in wanted]
        layers = tuple(layer for group in known for layer in group or ())
        if any(group is None for group in known):
            return self._made(wanted)
        for name in ("fetch", "dependencies"):
            with self._phases.run(name) as phase:
                phase.cached = True
                if name == "dependencies":
                    phase.bytes = sum(layer.size for layer in layers)
                    phase.note = self._note(wanted)
        # Any plugin's image may have brought them; believing so saves asking.
        return Installed(layers, self._below | {layer.diff_id for layer in layers})

    def repair(self, wanted: tuple[Installation, ...], layers: tuple[Layer, ...]) -> Installed | None:
        """New layers if pieces of ``layers`` are missing or damaged, ``None`` if all are as they should be."""
        missing = any(not layer.parts for layer in layers)
        damaged = [self._layers.discard_damaged(entry, self._layers.recorded(entry) or ()) for entry in wanted]
        if not missing and not any(damaged):
            return None
        # An engine that refused these layers once is given all of them.
        return replace(self._made(wanted), held=self._below)

    def _note(self, wanted: tuple[Installation, ...]) -> str:
        return note([line for entry in wanted for line in self._layers.remarks(entry)])

    def _tools(self) -> closing[Tools]:
        """What was started, for one use."""
        self.expect()
        tools, self._started = self._started, None
        assert tools is not None
        return closing(tools)

    def _made(self, wanted: tuple[Installation, ...]) -> Installed:
        with self._tools() as tools:
            gathering = tools.gathering
            with self._phases.run("fetch") as phase:
                for entry in wanted:
                    phase.bytes += gathering.fetch(
                        entry.lock,
                        entry.root,
                        self._offering(entry) if entry is wanted[0] else None,
                        lambda done: phase.advance(f"{done / 1e6:.1f} MB"),
                    )
                phase.cached = phase.bytes == 0
            with self._phases.run("dependencies") as phase:
                phase.advance(f"unpacking {sum(len(entry.lock.wheels) for entry in wanted)} wheels")
                groups = [arranged(entry, gathering.unpacked(entry.lock, entry.root)) for entry in wanted]
                installed = self._assembled(groups, tools.compiler, phase.advance)
                phase.bytes = sum(layer.size for layer in installed.layers)
                phase.note = self._note(wanted)
        prune(self._cache)
        return installed

    def _assembled(self, groups: Sequence[Unpacked], compiler: Compiler, say: Callable[[str], None]) -> Installed:
        ahead = groups[0].layers
        # The last holds the small wheels, if there are any: no other plugin is likely to have just these.
        self._preload.offer(ahead[-1])
        self._preload.complete(ahead)
        say("compiling bytecode")
        compiled = self._layers.compile(groups, compiler)
        say("hashing")
        made = [self._layers.make(group, codes) for group, codes in zip(groups, compiled, strict=True)]
        layers = tuple(layer for group in made for layer in group)
        say("loading")
        return Installed(layers, self._preload.held())

    def _offering(self, entry: Installation) -> Ready:
        """The engine may have what is not new in this cache; what is new it takes at once."""

        def ready(fragment: Fragment) -> None:
            if fragment.made and is_large(fragment):
                self._preload.offer(alone(entry, fragment))

        return ready
