"""Puts an image into an engine, by the cheapest route that this engine takes.

1. *partial*: an archive that holds only the layers which the engine lacks;
2. *whole*: the same with every layer that we have at hand;
3. *build*: ``FROM`` the image below and ``ADD`` each layer's tar, for an engine that takes neither. Its clock gets
   into the image then, so the id differs from machine to machine while the layers stay equal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal

from images.engine_calls import LOAD_SECONDS, engine_faults, inspect_image, load_archive, refused
from images.image_archive import docker_archive, oci_archive
from images.image_config import ImageConfig, Layer
from images.tarball import END, chunks, file_entry, file_header, padding
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_json
from toolchain.core.errors import EngineRefused, ImageUnavailable

Route = Literal["present", "partial", "whole", "build"]
Archive = Callable[[ImageConfig, str, Collection[str]], Iterator[bytes]]

_STEP_TAG: Final = "mixpeek/step"


@dataclass(frozen=True)
class Placed:
    """The image as the engine knows it, and how it came there."""

    id: str
    route: Route


def place(
    engine: ContainerEngine, image: ImageConfig, tag: str, held: Collection[str], below: str | None
) -> Placed:
    """Make ``image`` known to ``engine`` as ``tag``.

    ``held`` are diff ids that the engine certainly has in this position; ``below`` names the image that holds the
    layers we have no tar of. Raises ``EngineRefused`` when no route works, ``EngineUnavailable`` when it is gone.
    """
    archive: Archive = oci_archive if engine.kind == "podman" else docker_archive
    at_hand = {layer.diff_id for layer in image.layers if layer.parts}
    attempts: list[tuple[Route, Collection[str]]] = [("partial", at_hand - set(held))]
    if at_hand & set(held):
        attempts.append(("whole", at_hand))
    for route, included in attempts:
        try:
            load_archive(engine, archive(image, tag, included))
        except EngineRefused:
            continue
        if (inspect_image(engine, tag) or {}).get("Id") == image.id:
            return Placed(image.id, route)
    if below is None:
        raise ImageUnavailable(
            "the engine takes no image archive from us", where=tag, remedy="run `mixpeek doctor`"
        )
    return Placed(_build(engine, image, tag, below), "build")


def _build(engine: ContainerEngine, image: ImageConfig, tag: str, below: str) -> str:
    """One image for each layer, so that an unchanged lower layer is not sent again."""
    ours = [layer for layer in image.layers if layer.parts]
    for number, layer in enumerate(ours):
        last = number == len(ours) - 1
        name = tag if last else f"{_STEP_TAG}:{sha256_json([below, layer.diff_id])[:32]}"
        known = None if last else inspect_image(engine, name)
        below = known["Id"] if known else _build_step(engine, layer, name, below, image.labels if last else {})
    return below


def _build_step(engine: ContainerEngine, layer: Layer, tag: str, below: str, labels: Any) -> str:
    api = engine.client.api
    with engine_faults(engine, "building a layer"):
        response = api.post(
            f"{api.base_url}/v{engine.api_version}/build",
            data=_context(layer, below),
            params={
                "t": tag,
                "networkmode": "none",
                "rm": "1",
                "forcerm": "1",
                "labels": json.dumps(dict(labels), sort_keys=True),
                "timestamp": "0",  # podman's; others ignore it
            },
            headers={"Content-Type": "application/x-tar"},
            timeout=LOAD_SECONDS,
        )
        text = response.text
    built = inspect_image(engine, tag) if response.status_code < 400 else None
    if built is None or layer.diff_id not in built["RootFS"]["Layers"][-1:]:
        last = text.strip().splitlines()[-1:] or [""]
        raise refused("building a layer", last[0])
    return str(built["Id"])


def _context(layer: Layer, below: str) -> Iterator[bytes]:
    yield file_entry("Dockerfile", f"FROM {below}\nADD layer.tar /\n".encode())
    yield file_header("layer.tar", layer.size)
    yield from chunks(layer.parts)
    yield padding(layer.size)
    yield END
