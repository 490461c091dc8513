"""Gives an engine the large layers while the rest of an image is still being made.

An engine takes 300 MB in 2 s, about as long as they take to unpack and their bytecode to compile. What is new in
the cache is sent as it comes, in one archive that ends when all are there; what is not, an engine probably has.

An engine keeps layers only as part of an image: one without a use is loaded for them. It is noted as retired
before it exists, so that a later build removes what a killed one left, and goes when the real image stands on the
same layers.
"""

from __future__ import annotations

import queue
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from images.base.model import BaseImage
from images.engine_calls import load_archive, remove_image
from images.files import Cache
from images.image_archive import growing_archive
from images.image_config import ImageConfig, Layer
from images.layout import LABEL_ROLE
from images.placing import Order, archive_format, place
from images.retired import Retired
from images.routes import RouteMemory
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import MixpeekError
from toolchain.core.tarball import FileChanged

if TYPE_CHECKING:
    from typing_extensions import Self

_REPOSITORY: Final = "mixpeek/preload"


class _GivenUp(Exception):
    """The build failed: the archive under way ends here, and the engine drops what came of it."""


class Preload:
    """Layers right above ``base`` on their way into ``engine``. A context: at its end nothing is under way.

    ``previous`` is the engine's description of the image that the build replaces: what that stands on is there.
    """

    def __init__(
        self, engine: ContainerEngine, cache: Cache, base: BaseImage, previous: Mapping[str, Any] | None
    ) -> None:
        self._engine = engine
        self._base = base
        self._known: list[str] = list(((previous or {}).get("RootFS") or {}).get("Layers") or [])
        self._seen = set(self._known)
        # What is built a layer at a time cannot be sent ahead.
        self._possible = RouteMemory(cache, engine).routes()[0] != "build"
        self._retired = Retired(cache, engine)
        self._tag = f"{_REPOSITORY}:{secrets.token_hex(8)}"
        self._offered: queue.SimpleQueue[Layer | None] = queue.SimpleQueue()
        self._image: ImageConfig | None = None
        self._there = False
        self._pool = ThreadPoolExecutor(1, "preload")
        self._task: Future[bool] | None = None
        self._starting = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._offered.put(None)
        self._pool.shutdown(wait=True)
        if self._task is not None and remove_image(self._engine, self._tag) and self._image is not None:
            self._retired.forget(self._image.id)

    def offer(self, layer: Layer) -> None:
        """Send ``layer`` unless the engine has it or it was offered before; from any thread."""
        with self._starting:
            if not self._possible or layer.diff_id in self._seen:
                return
            self._seen.add(layer.diff_id)
            self._offered.put(layer)
            if self._task is None:
                self._task = self._pool.submit(self._send)

    def complete(self, layers: tuple[Layer, ...]) -> None:
        """``layers``, in this order, are all that there will be."""
        image = self._base.config.on_top(layers, {LABEL_ROLE: "preload"})
        self._image = image
        self._retired.hand_out(image.id)
        self._retired.retire(image.id)
        diff_ids = [layer.diff_id for layer in image.layers]
        self._there = self._known[: len(diff_ids)] == diff_ids
        if self._task is None and self._possible and not self._there:
            self._task = self._pool.submit(self._load, image)
        self._offered.put(None)

    def held(self) -> frozenset[str]:
        """The diff ids that the engine has by now, the base's among them; waits for what is under way."""
        taken = self._there if self._task is None else self._task.result()
        image = self._image if taken and self._image is not None else self._base.config
        return frozenset(layer.diff_id for layer in image.layers)

    def _send(self) -> bool:
        """Send what is offered, in one archive. A refusal is no fault: the real image brings all again."""
        form = archive_format(self._engine)
        with suppress(MixpeekError, FileChanged, _GivenUp):
            load_archive(self._engine, growing_archive(form, self._taken(), self._completed, self._tag))
            return True
        return self._image is not None and self._load(self._image)

    def _taken(self) -> Iterator[Layer]:
        while (layer := self._offered.get()) is not None:
            yield layer

    def _completed(self) -> ImageConfig:
        if self._image is None:
            raise _GivenUp
        return self._image

    def _load(self, image: ImageConfig) -> bool:
        # Another plugin's image may have brought them: as in a build, believing so is one short attempt.
        for below in (image, self._base.config):
            held = frozenset(layer.diff_id for layer in below.layers)
            with suppress(MixpeekError, FileChanged):
                place(self._engine, Order(image, self._tag, held, routes=("partial",)))
                return True
        return False
