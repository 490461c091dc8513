"""An engine's image, read back layer by layer."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from images.files import Cache
from toolchain.core.containers.faults import engine_errors
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import EngineRefused


@contextmanager
def saved_layers(engine: ContainerEngine, cache: Cache, image: str) -> Iterator[list[IO[bytes]]]:
    """The tars of the image's layers, lowest first. Raises ``EngineRefused`` when some are missing."""
    with cache.temporary("base") as (path, stream):
        with engine_errors("read an image back"):
            for chunk in engine.client.api.get_image(image):
                stream.write(chunk)
        stream.flush()
        with tarfile.open(path) as archive:
            manifest = archive.extractfile("manifest.json")
            names: list[str] = json.load(manifest)[0]["Layers"] if manifest else []
            layers = [archive.extractfile(name) for name in names]
            found = [layer for layer in layers if layer is not None]
            if not found or len(found) != len(names):
                raise EngineRefused(
                    "the engine saved an image without all its layers", where=image, remedy="run `mixpeek doctor`"
                )
            yield found
