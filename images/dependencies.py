"""The dependency layers: one for each large wheel, one for all small ones, one for the bytecode of them all.

Large wheels seldom change, and plugins share them: a change among the small ones sends a fifth of the bytes, and
an engine takes the wheels while their bytecode is still being compiled. What the platform itself brings lies
lowest, since engines know a layer by all that is below it.

A layer is a list of files, not a file: its tar exists only as a stream, so 300 MB of libraries lie in the cache
once however many plugins use them. The digests are kept under a key of (lock, root, the base's distribution,
versions of installer and layout). The base's id is not in the key: it changes with our runtime, and nothing in the
layers depends on that. The distribution is, since its interpreter made the bytecode.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from images.base.model import BaseImage
from images.bytecode import Bytecode
from images.collisions import collisions, left_out, refuse_covered_folders, refuse_stand_ins
from images.compile_container import Compiler
from images.files import Cache, touch
from images.fragments import Fragment, opening
from images.image_config import Layer, layer_of
from images.layout import LAYOUT_VERSION, PLATFORM_NAMES
from images.overlaps import joined
from images.pylock import Lock
from toolchain.core.digests import sha256_json
from toolchain.core.tarball import END, FileChanged, FilePart, Part, total_size

_INSTALLER: Final = 3
# A layer more costs an engine 40 ms once, and 7 ms for each MB that it takes again (measured).
_LARGE: Final = 16 << 20
# Engines stack 125 layers at most.
_MOST_LARGE: Final = 48


@dataclass(frozen=True)
class Installation:
    """A lock, the folder of the image that it is installed in, and what its layers are called."""

    lock: Lock
    root: str
    role: str


@dataclass(frozen=True)
class Unpacked:
    """One installation unpacked: its pieces, and all its ``layers`` but that of the bytecode, lowest first.

    The pieces are in the order of the layers: of a file that several bring the last one's is kept.
    """

    wanted: Installation
    fragments: tuple[Fragment, ...]
    layers: tuple[Layer, ...]


def is_large(fragment: Fragment) -> bool:
    """Whether a piece is a layer of its own, unless there are too many of them."""
    return fragment.size >= _LARGE


def alone(wanted: Installation, fragment: Fragment) -> Layer:
    """The layer that holds nothing but a piece of ``wanted``."""
    parts: tuple[Part, ...] = (opening(fragment.root), FilePart(fragment.tar, fragment.size), END)
    role = f"{wanted.role}: {fragment.wheel.name} {fragment.wheel.version}"
    return Layer(role, fragment.diff_id, total_size(parts), parts)


def arranged(wanted: Installation, fragments: Sequence[Fragment]) -> Unpacked:
    """The pieces of ``wanted`` as layers.

    Raises ``DependencyFault`` for a wheel that stands in for the platform's packages or for another's folder.
    """
    refuse_stand_ins(fragments)
    refuse_covered_folders(fragments)
    largest = sorted(fragments, key=lambda fragment: (-fragment.size, fragment.wheel.name))
    large = [fragment for fragment in largest[:_MOST_LARGE] if is_large(fragment)]
    large.sort(key=lambda fragment: fragment.wheel.name not in PLATFORM_NAMES)
    small = [fragment for fragment in fragments if fragment not in large]
    layers = [alone(wanted, fragment) for fragment in large]
    if small:
        layers.append(_together(wanted.role, wanted.root, [fragment.tar for fragment in small]))
    return Unpacked(wanted, (*large, *small), tuple(layers))


def _together(role: str, root: str, tars: Sequence[Path]) -> Layer:
    return layer_of(role, (opening(root), *joined(tars), END))


class DependencyLayers:
    """Dependency layers for ``base`` in the cache."""

    def __init__(self, cache: Cache, base: BaseImage) -> None:
        self._cache = cache
        self._base = base
        self._bytecode = Bytecode(cache)

    def recorded(self, wanted: Installation) -> tuple[Layer, ...] | None:
        """The layers if they were made before, without parts where some were pruned since; under 1 ms."""
        path = self._record(wanted)
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        touch(path)
        return tuple(self._layer(entry, wanted.root) for entry in content["layers"])

    def remarks(self, wanted: Installation) -> list[str]:
        """What there is to say of layers that are on record: files that collide, files that were left out."""
        with suppress(OSError, ValueError):
            return [str(line) for line in json.loads(self._record(wanted).read_bytes())["remarks"]]
        return []

    def compile(self, groups: Sequence[Unpacked], compiler: Compiler) -> list[list[Path]]:
        """The bytecode of several installations, for each of their pieces.

        Raises ``EngineRefused`` when the container fails, ``EngineUnavailable`` when the engine is gone.
        """
        compiled = iter(
            self._bytecode.compile([one for group in groups for one in group.fragments], compiler, self._base)
        )
        return [list(islice(compiled, len(group.fragments))) for group in groups]

    def make(self, unpacked: Unpacked, compiled: Sequence[Path]) -> tuple[Layer, ...]:
        """The layers of an installation and of its bytecode, put on record."""
        wanted, fragments = unpacked.wanted, unpacked.fragments
        layers = (*unpacked.layers, _together(f"{wanted.role}: bytecode", wanted.root, compiled))
        record = {
            "layers": [self._described(layer) for layer in layers],
            "remarks": [*collisions(fragments), *left_out(fragments)],
        }
        self._cache.write(self._record(wanted), json.dumps(record).encode())
        return layers

    def discard_damaged(self, wanted: Installation, layers: Sequence[Layer]) -> bool:
        """Remove the pieces of ``layers`` that no longer give their digests; returns whether there were any."""
        damaged = [layer for layer in layers if layer.parts and not _intact(layer)]
        if damaged:
            self._record(wanted).unlink(missing_ok=True)
        for layer in damaged:
            for part in layer.parts:
                if isinstance(part, FilePart):
                    part.path.unlink(missing_ok=True)
        return bool(damaged)

    def _described(self, layer: Layer) -> dict[str, Any]:
        pieces = [part for part in layer.parts if isinstance(part, FilePart)]
        parts = [
            [str(piece.path.relative_to(self._cache.root)), piece.size, piece.start, piece.partial]
            for piece in pieces
        ]
        return {"role": layer.role, "diff_id": layer.diff_id, "size": layer.size, "parts": parts}

    def _layer(self, entry: dict[str, Any], root: str) -> Layer:
        pieces = [FilePart(self._cache.root / name, *place) for name, *place in entry["parts"]]
        parts: tuple[Part, ...] = ()
        for path in {piece.path for piece in pieces}:
            touch(path)
        if all(piece.path.is_file() for piece in pieces):
            parts = (opening(root), *pieces, END)
        return Layer(entry["role"], entry["diff_id"], entry["size"], parts)

    def _record(self, wanted: Installation) -> Path:
        made_by = [_INSTALLER, self._base.runnable.source_id, wanted.lock.target.python]
        key = sha256_json(["dependencies", LAYOUT_VERSION, *made_by, wanted.lock.digest, wanted.root, wanted.role])
        return self._cache.root / "layers" / f"{key}.json"


def _intact(layer: Layer) -> bool:
    try:
        return layer_of(layer.role, layer.parts).diff_id == layer.diff_id
    except FileChanged:
        return False
