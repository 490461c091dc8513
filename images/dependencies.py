"""The dependency layer: the pieces of a lock's wheels and their bytecode, one after the other.

The layer is a list of files, not a file: its tar exists only as a stream, so 300 MB of libraries lie in the cache once
however many plugins use them. Its digest is kept under a key of (lock, root, interpreter, versions of installer and
layout); the base's id is not in the key, since nothing in the layer depends on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from images.base.model import BaseImage
from images.bytecode import Bytecode
from images.files import Cache, touch
from images.fragments import Fragment, Fragments
from images.image_config import Layer, layer_of
from images.layout import LAYOUT_VERSION
from images.pylock import Lock
from images.store import Progress, WheelStore
from images.tarball import END, Part, directory_header, parents
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_json

_INSTALLER: Final = 1


@dataclass(frozen=True)
class Recorded:
    """What the cache knows of a layer: enough to name it, and to stream it while the pieces are there."""

    layer: Layer
    complete: bool


class DependencyLayers:
    """Dependency layers for locks, in the cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self._store = WheelStore(cache)
        self._fragments = Fragments(cache)
        self._bytecode = Bytecode(cache)

    def recorded(self, lock: Lock, root: str, role: str) -> Recorded | None:
        """The layer if it was made before; under 1 ms."""
        path = self._record(lock, root)
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return None
        touch(path)
        files = [self._cache.root / name for name in content["parts"]]
        complete = all(file.is_file() for file in files)
        parts: tuple[Part, ...] = (_opening(root), *files, END) if complete else ()
        return Recorded(Layer(role, content["diff_id"], content["size"], parts), complete)

    def fetch(self, lock: Lock, progress: Progress | None = None) -> tuple[dict[str, Path], int]:
        """The lock's wheels in the store, and the bytes that had to come over the network."""
        fetched = self._store.fetch(lock.wheels, progress)
        return fetched.paths, fetched.downloaded

    def make(  # noqa: PLR0913
        self,
        lock: Lock,
        root: str,
        role: str,
        wheels: dict[str, Path],
        engine: ContainerEngine,
        base: BaseImage,
        say: Callable[[str], None],
    ) -> Layer:
        """Unpack, compile and join. Raises ``DependencyFault`` for a refused wheel, and the engine's errors."""
        say(f"unpacking {len(lock.wheels)} wheels")
        fragments = self._fragments.unpack(wheels, lock.wheels, root)
        for message in collisions(fragments):
            say(message)
        say("compiling bytecode")
        compiled = self._bytecode.compile(fragments, engine, base)
        files = [file for fragment, code in zip(fragments, compiled, strict=True) for file in (fragment.tar, code)]
        say("hashing")
        layer = layer_of(role, (_opening(root), *files, END))
        record = {
            "diff_id": layer.diff_id,
            "size": layer.size,
            "parts": [str(file.relative_to(self._cache.root)) for file in files],
        }
        self._cache.write(self._record(lock, root), json.dumps(record).encode())
        return layer

    def _record(self, lock: Lock, root: str) -> Path:
        key = sha256_json(["dependencies", LAYOUT_VERSION, _INSTALLER, lock.digest, root, lock.target.python])
        return self._cache.root / "layers" / f"{key}.json"


def collisions(fragments: list[Fragment]) -> list[str]:
    """Files that two wheels bring with different bytes; the later by name wins, in every build alike."""
    owners: dict[str, tuple[str, str]] = {}
    found = []
    for fragment in fragments:
        for path, digest in fragment.digests.items():
            owner = owners.get(path)
            if owner is not None and owner[1] != digest:
                found.append(f"{path} comes from {owner[0]} and from {fragment.wheel.name}: the latter is kept")
            owners[path] = (fragment.wheel.name, digest)
    return found


def _opening(root: str) -> bytes:
    folder = root.lstrip("/")
    return b"".join(directory_header(name) for name in (*parents(folder), folder))
