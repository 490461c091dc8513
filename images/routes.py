"""Remembers which way of placing images an engine takes, so that a refused one is not tried at every change."""

from __future__ import annotations

from typing import Final

from images.files import Cache
from images.placing import Route
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_json

_ALL: Final[tuple[Route, ...]] = ("partial", "whole", "build")
_BUILD_FIRST: Final[tuple[Route, ...]] = ("build", "partial", "whole")


class RouteMemory:
    """One engine's route: known by address and version, since an upgrade may change what it takes."""

    def __init__(self, cache: Cache, engine: ContainerEngine) -> None:
        self._cache = cache
        self._path = cache.root / "routes" / sha256_json([engine.address, engine.kind, engine.version])[:32]

    def routes(self) -> tuple[Route, ...]:
        """The routes to try, in order."""
        return _BUILD_FIRST if self._path.exists() else _ALL

    def learn(self, route: Route) -> None:
        """Note what worked."""
        if route == "build" and not self._path.exists():
            self._cache.write(self._path, b"")
