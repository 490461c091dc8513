"""What making layers takes, started together: processes that unpack, and the container that compiles.

Both need a tenth of a second before they are of use, and a resolver that waits for the network leaves more.
"""

from __future__ import annotations

from contextlib import ExitStack

from images.base.model import BaseImage
from images.compile_container import Compiler
from images.files import Cache
from images.gathering import Gathering
from images.store import WheelStore
from images.unpacking import Unpackers
from toolchain.core.containers.model import ContainerEngine


class Tools:
    """Started when made; ``close`` ends them, whatever they are at."""

    def __init__(self, cache: Cache, engine: ContainerEngine, base: BaseImage) -> None:
        with ExitStack() as end:
            self.compiler = end.enter_context(Compiler(engine, base.runnable, cache))
            unpackers = end.enter_context(Unpackers(cache))
            self.gathering = end.enter_context(Gathering(WheelStore(cache), unpackers.unpack))
            self._end = end.pop_all()

    def close(self) -> None:
        """End them."""
        self._end.close()
