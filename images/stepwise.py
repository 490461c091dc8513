"""Builds an image one layer at a time: ``FROM`` the image below, ``ADD`` the layer's tar.

For engines that take no archive with layers missing (Docker's containerd store). The files are the same as from an
archive, but the engine writes its own tar and clock, so ids differ from machine to machine; a label says what the
image was built to be.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from images.engine_calls import build_image, inspect_image
from images.image_config import RUN_KEYS, ImageConfig, Layer, layer_of
from images.layout import LABEL_IMAGE
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_json
from toolchain.core.tarball import END, FileChanged, chunks, file_entry, file_header, padding

STEP_REPOSITORY: Final = "mixpeek/step"
# A local tar is unpacked by ADD, and only by ADD.
_ADD: Final = "ADD layer.tar /"


@dataclass(frozen=True)
class Below:
    """An image to start from: the ``layers`` lowest of the one to build, with the run settings ``run``."""

    id: str
    layers: int
    run: Mapping[str, Any]


def build_stepwise(engine: ContainerEngine, image: ImageConfig, tag: str, below: Below) -> str | None:
    """The id of ``image`` built on ``below`` as ``tag``; ``None`` when a layer above ``below`` is not at hand.

    Each lower layer is an image of its own, so that an unchanged one is not sent again. Raises ``EngineRefused``,
    ``EngineUnavailable``, and ``FileChanged`` when a layer no longer has its digest.
    """
    layers = image.layers[below.layers :]
    if not layers or any(not layer.parts for layer in layers):
        return None
    start = below.id
    for layer in layers[:-1]:
        name = f"{STEP_REPOSITORY}:{sha256_json([start, layer.diff_id])[:32]}"
        known = inspect_image(engine, name)
        start = str(known["Id"]) if known else _step(engine, layer, name, [f"FROM {start}", _ADD])
    return _step(engine, layers[-1], tag, [f"FROM {start}", _ADD, *_settings(image, below)])


def _step(engine: ContainerEngine, layer: Layer, tag: str, lines: list[str]) -> str:
    # An engine checks the digests of an archive; nobody would check those of an ADD.
    if layer_of(layer.role, layer.parts).diff_id != layer.diff_id:
        raise FileChanged(layer.role, "its bytes changed")
    # podman sets every clock in the image to `timestamp`; other engines ignore it.
    return str(build_image(engine, _context(layer, lines), tag, timestamp="0")["Id"])


def _settings(image: ImageConfig, below: Below) -> Iterator[str]:
    """Labels, and of the run configuration what differs: the classic builder takes 0.1 s for every line."""
    if any((image.run.get(key) or None) != (below.run.get(key) or None) for key in RUN_KEYS):
        pairs = (str(entry).partition("=") for entry in image.run.get("Env") or [])
        yield "ENV " + " ".join(f"{name}={_quoted(value)}" for name, _, value in pairs)
        yield f"WORKDIR {image.run.get('WorkingDir') or '/'}"
        yield f"USER {image.run.get('User') or '0'}"
        yield f"ENTRYPOINT {json.dumps(image.run.get('Entrypoint') or [])}"
        yield f"CMD {json.dumps(image.run.get('Cmd') or [])}"
    labels = sorted({**image.labels, LABEL_IMAGE: image.id}.items())
    yield "LABEL " + " ".join(f"{name}={_quoted(value)}" for name, value in labels)


def _quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("$", "\\$")


def _context(layer: Layer, lines: list[str]) -> Iterator[bytes]:
    yield file_entry("Dockerfile", "".join(f"{line}\n" for line in lines).encode())
    yield file_header("layer.tar", layer.size)
    yield from chunks(layer.parts)
    yield padding(layer.size)
    yield END
