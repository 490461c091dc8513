"""The dependency layer: the pieces of a lock's wheels and their bytecode, one after the other.

The layer is a list of files, not a file: its tar exists only as a stream, so 300 MB of libraries lie in the cache
once however many plugins use them. Its digest is kept under a key of (lock, root, the base's distribution,
versions of installer and layout). The base's id is not in the key: it changes with our runtime, and nothing in the
layer depends on that. The distribution is, since its interpreter made the bytecode.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from images.base.model import BaseImage
from images.bytecode import Bytecode
from images.collisions import collisions, left_out, refuse_stand_ins
from images.files import Cache, touch
from images.fragments import Fragments
from images.image_config import Layer, layer_of
from images.layout import LAYOUT_VERSION
from images.overlaps import joined
from images.pylock import Lock
from images.store import Progress, WheelStore
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_json
from toolchain.core.tarball import END, FileChanged, FilePart, Part, directory_header, parents

_INSTALLER: Final = 2


class Wanted(Protocol):
    """What is installed where."""

    @property
    def lock(self) -> Lock: ...
    @property
    def root(self) -> str: ...
    @property
    def role(self) -> str: ...


class DependencyLayers:
    """Dependency layers for ``base`` in the cache."""

    def __init__(self, cache: Cache, base: BaseImage) -> None:
        self._cache = cache
        self._base = base
        self._store = WheelStore(cache)
        self._fragments = Fragments(cache)
        self._bytecode = Bytecode(cache)

    def recorded(self, lock: Lock, root: str, role: str) -> Layer | None:
        """The layer if it was made before, without parts if some were pruned since; under 1 ms."""
        path = self._record(lock, root)
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        touch(path)
        parts: tuple[Part, ...] = ()
        pieces = [FilePart(self._cache.root / name, *place) for name, *place in content["parts"]]
        files = {piece.path for piece in pieces}
        if all(file.is_file() for file in files):
            for file in files:
                touch(file)
            parts = (_opening(root), *pieces, END)
        return Layer(role, content["diff_id"], content["size"], parts)

    def remarks(self, lock: Lock, root: str) -> list[str]:
        """What there is to say of a layer that is on record: files that collide, files that were left out."""
        with suppress(OSError, ValueError):
            return [str(line) for line in json.loads(self._record(lock, root).read_bytes())["remarks"]]
        return []

    def fetch(self, lock: Lock, progress: Progress | None = None) -> tuple[dict[str, Path], int]:
        """The lock's wheels in the store by SHA-256, and the bytes that had to come over the network."""
        fetched = self._store.fetch(lock.wheels, progress)
        return fetched.paths, fetched.downloaded

    def prepare(
        self,
        wanted: Sequence[Wanted],
        wheels: dict[str, Path],
        engine: ContainerEngine,
        say: Callable[[str], None],
    ) -> None:
        """Unpack and compile the pieces of several layers in one container; ``make`` then finds them.

        Raises ``DependencyFault`` for a refused wheel and for one that stands in for the platform's packages.
        """
        say(f"unpacking {sum(len(entry.lock.wheels) for entry in wanted)} wheels")
        pieces = [self._fragments.unpack(wheels, entry.lock.wheels, entry.root) for entry in wanted]
        for group in pieces:
            refuse_stand_ins(group)
        say("compiling bytecode")
        self._bytecode.compile([fragment for group in pieces for fragment in group], engine, self._base)

    def make(
        self,
        wanted: Wanted,
        wheels: dict[str, Path],
        engine: ContainerEngine,
        say: Callable[[str], None],
    ) -> Layer:
        """Unpack, compile and join. Raises ``DependencyFault`` for a refused wheel, and the engine's errors."""
        say(f"unpacking {len(wanted.lock.wheels)} wheels")
        fragments = self._fragments.unpack(wheels, wanted.lock.wheels, wanted.root)
        say("compiling bytecode")
        compiled = self._bytecode.compile(fragments, engine, self._base)
        files = [file for fragment, code in zip(fragments, compiled, strict=True) for file in (fragment.tar, code)]
        say("hashing")
        pieces = joined(files)
        layer = layer_of(wanted.role, (_opening(wanted.root), *pieces, END))
        record = {
            "diff_id": layer.diff_id,
            "size": layer.size,
            "parts": [
                [str(piece.path.relative_to(self._cache.root)), piece.size, piece.start, piece.partial]
                for piece in pieces
            ],
            "remarks": [*collisions(fragments), *left_out(fragments)],
        }
        self._cache.write(self._record(wanted.lock, wanted.root), json.dumps(record).encode())
        return layer

    def discard_damaged(self, lock: Lock, layer: Layer, root: str) -> bool:
        """Remove the layer's pieces when they no longer give its digest; returns whether that was so."""
        try:
            intact = layer_of(layer.role, layer.parts).diff_id == layer.diff_id
        except FileChanged:
            intact = False
        if not intact:
            self._record(lock, root).unlink(missing_ok=True)
            for part in layer.parts:
                if isinstance(part, FilePart):
                    part.path.unlink(missing_ok=True)
        return not intact

    def _record(self, lock: Lock, root: str) -> Path:
        made_by = [_INSTALLER, self._base.runnable.source_id, lock.target.python]
        key = sha256_json(["dependencies", LAYOUT_VERSION, *made_by, lock.digest, root])
        return self._cache.root / "layers" / f"{key}.json"


def _opening(root: str) -> bytes:
    folder = root.lstrip("/")
    return b"".join(directory_header(name) for name in (*parents(folder), folder))
