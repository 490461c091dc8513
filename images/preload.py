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
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from images.base.model import BaseImage
from images.engine_calls import inspect_image, list_images, load_archive, remove_image
from images.files import Cache
from images.image_archive import growing_archive
from images.image_config import ImageConfig, Layer
from images.layout import LABEL_ROLE
from images.placing import Order, archive_format, place
from images.retired import Retired
from images.routes import RouteMemory
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import EngineDiskFull, EngineRefused, EngineUnavailable, MixpeekError
from toolchain.core.tarball import FileChanged

if TYPE_CHECKING:
    from typing_extensions import Self

_REPOSITORY: Final = "mixpeek/preload"
_ROLE: Final = "preload"
# No build takes so long with an image of this kind.
_FORGOTTEN_SECONDS: Final = 86_400


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
        self._open = RouteMemory(cache, engine).routes()[0] != "build"
        self._retired = Retired(cache, engine)
        self._tag = f"{_REPOSITORY}:{int(time.time()):x}-{secrets.token_hex(8)}"
        self._offered: queue.SimpleQueue[Layer | None] = queue.SimpleQueue()
        self._image: ImageConfig | None = None
        self._there = False
        self._given_up = False
        self._pool = ThreadPoolExecutor(1, "preload")
        self._task: Future[bool] | None = None
        self._starting = Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._given_up = kind is not None
        self._offered.put(None)
        self._pool.shutdown(wait=True)
        if self._task is None or self._image is None:
            return
        # Another build may have loaded the same under another name: then it stays, and so does its note.
        gone = remove_image(self._engine, self._tag)
        with suppress(MixpeekError):
            if gone and inspect_image(self._engine, self._image.id) is None:
                self._retired.forget(self._image.id)
            _remove_forgotten(self._engine)

    def offer(self, layer: Layer) -> None:
        """Send ``layer`` unless the engine has it or it was offered before; from any thread."""
        with self._starting:
            if not self._open or layer.diff_id in self._seen:
                return
            self._seen.add(layer.diff_id)
            self._offered.put(layer)
            if self._task is None:
                self._task = self._pool.submit(self._send)

    def complete(self, layers: tuple[Layer, ...]) -> None:
        """``layers``, in this order, are all that there will be."""
        image = self._base.config.on_top(layers, {LABEL_ROLE: _ROLE})
        diff_ids = [layer.diff_id for layer in image.layers]
        with self._starting:
            self._image = image
            self._there = self._known[: len(diff_ids)] == diff_ids
            wanted = self._open and not self._there
            self._open = False
            if wanted or self._task is not None:
                self._retired.hand_out(image.id)
                self._retired.retire(image.id)
            if wanted and self._task is None:
                self._task = self._pool.submit(self._load, image)
        self._offered.put(None)

    def held(self) -> frozenset[str]:
        """The diff ids that the engine has by now, the base's among them; waits for what is under way."""
        taken = self._there if self._task is None else self._task.result()
        image = self._image if taken and self._image is not None else self._base.config
        return frozenset(layer.diff_id for layer in image.layers)

    def _send(self) -> bool:
        """Send what is offered, in one archive. A refusal is no fault: the real image brings all again."""
        archive = growing_archive(archive_format(self._engine), self._taken(), self._completed, self._tag)
        try:
            load_archive(self._engine, self._watched(archive))
        except (_GivenUp, EngineDiskFull, EngineUnavailable):
            return False
        except (EngineRefused, FileChanged):
            # It may lack a layer that was in the cache, and that it was believed to have.
            return self._image is not None and self._load(self._image)
        return True

    def _load(self, image: ImageConfig) -> bool:
        # Another plugin's image may have brought them: as in a build, believing so is one short attempt.
        for believed in (image, self._base.config):
            held = frozenset(layer.diff_id for layer in believed.layers)
            if self._given_up:
                break
            try:
                place(self._engine, Order(image, self._tag, held, routes=("partial",)))
            except (EngineDiskFull, EngineUnavailable):
                break
            except (EngineRefused, FileChanged):
                continue
            return True
        return False

    def _taken(self) -> Iterator[Layer]:
        while (layer := self._offered.get()) is not None:
            yield layer

    def _watched(self, archive: Iterator[bytes]) -> Iterator[bytes]:
        for chunk in archive:
            if self._given_up:
                raise _GivenUp
            yield chunk

    def _completed(self) -> ImageConfig:
        if self._image is None:
            raise _GivenUp
        return self._image


def _remove_forgotten(engine: ContainerEngine) -> None:
    """Remove images of this kind by age: the cache with their notes may be gone, or another machine's."""
    names = [
        name for image in list_images(engine, f"{LABEL_ROLE}={_ROLE}") for name in image.get("RepoTags") or []
    ]
    for name in names:
        begun = name.rpartition(":")[2].partition("-")[0]
        with suppress(ValueError):
            if time.time() - int(begun, 16) > _FORGOTTEN_SECONDS:
                remove_image(engine, name)
