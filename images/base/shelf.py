"""Bases that were made here before: restored into an engine that lost them, without building."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from images.files import Cache
from images.image_config import ImageConfig, Layer
from images.placing import Order, place
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import EngineRefused
from toolchain.core.tarball import FilePart, file_part


def keep(cache: Cache, tag: str, config: ImageConfig, source: str) -> None:
    """Remember the base ``config`` under ``tag``; ``source`` is the image that holds what we have no tar of."""
    layers = [
        {"role": layer.role, "diff_id": layer.diff_id, "size": layer.size, "file": _file(layer, cache)}
        for layer in config.layers
    ]
    record = {
        "architecture": config.architecture,
        "run": dict(config.run),
        "labels": dict(config.labels),
        "layers": layers,
        "source": source,
    }
    cache.write(_path(cache, tag), json.dumps(record).encode())


def restore(engine: ContainerEngine, cache: Cache, tag: str) -> bool:
    """Place the remembered base as ``tag``, about 0.6 s; returns whether the engine took it."""
    with suppress(OSError, ValueError, KeyError, EngineRefused):
        record = json.loads(_path(cache, tag).read_bytes())
        layers = tuple(_layer(entry, cache) for entry in record["layers"])
        config = ImageConfig(record["architecture"], layers, record["run"], record["labels"])
        place(engine, Order(config, tag, routes=("partial",)))
        return True
    return False


def _path(cache: Cache, tag: str) -> Path:
    return cache.root / "bases" / f"{tag.rpartition(':')[2]}.json"


def _file(layer: Layer, cache: Cache) -> str | None:
    files = [part for part in layer.parts if isinstance(part, FilePart)]
    return str(files[0].path.relative_to(cache.root)) if len(layer.parts) == len(files) == 1 else None


def _layer(entry: dict[str, Any], cache: Cache) -> Layer:
    parts = (file_part(cache.root / entry["file"]),) if entry["file"] else ()
    return Layer(entry["role"], entry["diff_id"], entry["size"], parts)
