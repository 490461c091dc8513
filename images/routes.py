"""Remembers which way of placing images an engine takes, so that a refused one is not tried at every change."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

from images.files import Cache
from images.placing import Route
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_json

# One refusal may have had a passing cause; trying the quick way again once a day costs 30 ms.
_REMEMBERED_SECONDS: Final = 86_400.0
_ALL: Final[tuple[Route, ...]] = ("partial", "whole", "build")
_BUILD_FIRST: Final[tuple[Route, ...]] = ("build", "partial", "whole")


class RouteMemory:
    """One engine's route: known by address and version, since an upgrade may change what it takes."""

    def __init__(self, cache: Cache, engine: ContainerEngine) -> None:
        self._cache = cache
        self._path = cache.root / "routes" / sha256_json([engine.address, engine.kind, engine.version])[:32]

    def routes(self) -> tuple[Route, ...]:
        """The routes to try, in order."""
        with suppress(OSError):
            if time.time() - self._path.stat().st_mtime < _REMEMBERED_SECONDS:
                return _BUILD_FIRST
        return _ALL

    def learn(self, route: Route) -> None:
        """Note what worked."""
        if route == "build" and self.routes() is _ALL:
            self._cache.write(self._path, b"")
