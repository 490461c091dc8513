"""The phases between lock and code: fetch what is missing, make the layers that are not on record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from images.base import BaseImage
from images.build_phases import Phases
from images.cache import prune
from images.collisions import note
from images.dependencies import DependencyLayers
from images.files import Cache
from images.image_config import Layer
from images.pylock import Lock
from toolchain.core.containers.model import ContainerEngine


@dataclass(frozen=True)
class Installation:
    """A lock, the folder of the image that it is installed in, and what its layer is called."""

    lock: Lock
    root: str
    role: str


class Installer:
    """Turns installations into layers, through the cache."""

    def __init__(self, cache: Cache, engine: ContainerEngine, base: BaseImage, phases: Phases) -> None:
        self._cache = cache
        self._layers = DependencyLayers(cache, base)
        self._engine = engine
        self._phases = phases

    def install(self, wanted: tuple[Installation, ...]) -> tuple[Layer, ...]:
        """A layer for each of ``wanted``. One on record is named by it, also when its pieces were pruned since."""
        known = [self._layers.recorded(entry.lock, entry.root, entry.role) for entry in wanted]
        layers = [layer for layer in known if layer is not None]
        if len(layers) < len(wanted):
            return self._made(wanted)
        for name in ("fetch", "dependencies"):
            with self._phases.run(name) as phase:
                phase.cached = True
                if name == "dependencies":
                    phase.bytes = sum(layer.size for layer in layers)
                    phase.note = self._note(wanted)
        return tuple(layers)

    def repair(self, wanted: tuple[Installation, ...], layers: tuple[Layer, ...]) -> tuple[Layer, ...] | None:
        """New layers if pieces of ``layers`` are missing or damaged, ``None`` if all are as they should be."""
        pairs = list(zip(wanted, layers, strict=True))
        missing = any(not layer.parts for layer in layers)
        damaged = [
            self._layers.discard_damaged(entry.lock, layer, entry.root) for entry, layer in pairs if layer.parts
        ]
        return self._made(wanted) if missing or any(damaged) else None

    def _note(self, wanted: tuple[Installation, ...]) -> str:
        return note([line for entry in wanted for line in self._layers.remarks(entry.lock, entry.root)])

    def _made(self, wanted: tuple[Installation, ...]) -> tuple[Layer, ...]:
        wheels: dict[str, Path] = {}
        with self._phases.run("fetch") as phase:
            for entry in wanted:
                paths, downloaded = self._layers.fetch(
                    entry.lock, lambda done: phase.advance(f"{done / 1e6:.1f} MB")
                )
                wheels.update(paths)
                phase.bytes += downloaded
            phase.cached = phase.bytes == 0
        with self._phases.run("dependencies") as phase:
            self._layers.prepare(wanted, wheels, self._engine, phase.advance)
            layers = [self._layers.make(entry, wheels, self._engine, phase.advance) for entry in wanted]
            phase.bytes = sum(layer.size for layer in layers)
            phase.note = self._note(wanted)
        prune(self._cache)
        return tuple(layers)
