"""Wheels as pieces of a layer: each is unpacked once, into a run of tar entries that any layer can take as it is.

A dependency layer is then no more than the concatenation of its wheels' pieces: numpy, pandas and pyarrow, which
every plugin has, are unpacked and compiled once for all of them, and changing one requirement costs one wheel.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final

from images.files import Cache, touch
from images.layout import LAYOUT_VERSION
from images.pylock import LockedWheel
from images.wheel import Wheel, WheelFile, open_wheel
from toolchain.core.digests import sha256_file, sha256_json
from toolchain.core.errors import DownloadCorrupt
from toolchain.core.image_layout import PYTHON
from toolchain.core.tarball import END, directory_header, file_entry, file_header, padding, parents

# Test suites are never imported by a user of the package, and are 60% of the source of pandas. Of pygments' 500
# lexers, which pytest brings, hardly one is: compiling them all took 0.6 s.
_UNCOMPILED: Final = frozenset({"tests", "test", "lexers"})
# A larger file in bin/ is a program, without a line that names an interpreter, and is not held in memory.
_SCRIPT_LIMIT: Final = 16 << 20


@dataclass(frozen=True)
class Source:
    """A Python source inside a piece: its place in the image, and where its bytes lie in the piece."""

    path: str
    offset: int
    size: int


@dataclass(frozen=True)
class Fragment:
    """The unpacked files of one wheel as tar entries, without directories above the installation ``root``.

    ``diff_id`` is that of a layer which holds these entries alone, after ``opening(root)``; ``size`` counts the
    bytes of ``tar``. ``left_out`` are files of the wheel that are not installed, though a user might miss them.
    ``made`` says that it was not in the cache before.
    """

    wheel: LockedWheel
    key: str
    root: str
    tar: Path
    size: int
    diff_id: str
    sources: tuple[Source, ...]
    digests: dict[str, str]
    left_out: tuple[str, ...] = ()
    made: bool = field(default=False, compare=False)


def opening(root: str) -> bytes:
    """The headers that a layer begins with: those of the installation root and of the folders above it."""
    folder = root.lstrip("/")
    return b"".join(directory_header(name) for name in (*parents(folder), folder))


class Fragments:
    """The pieces in the cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def find(self, wheel: LockedWheel, root: str) -> Fragment | None:
        """The piece of ``wheel`` installed under ``root`` (absolute in the image), if it is there and whole."""
        key, tar = self._place(wheel, root)
        try:
            content: dict[str, Any] = json.loads(tar.with_suffix(".json").read_bytes())
            if tar.stat().st_size != content["size"]:
                return None  # a killed machine left it so
        except (OSError, ValueError):
            return None
        touch(tar)
        return Fragment(
            wheel=wheel,
            key=key,
            root=root,
            tar=tar,
            size=content["size"],
            diff_id=content["diff_id"],
            sources=tuple(Source(*entry) for entry in content["sources"]),
            digests=content["files"],
            left_out=tuple(content["left_out"]),
        )

    def make(self, path: Path, wheel: LockedWheel, root: str) -> None:
        """Unpack ``wheel``, which lies at ``path``, unless another process does it first; ``find`` then finds it.

        Raises ``DependencyFault`` for a wheel that is refused, ``DownloadCorrupt`` for one that a disk damaged.
        """
        key, tar = self._place(wheel, root)
        with self._cache.lock(key):
            if self.find(wheel, root) is None:
                self._write(path, wheel, root, tar)

    def _place(self, wheel: LockedWheel, root: str) -> tuple[str, Path]:
        key = sha256_json(["fragment", LAYOUT_VERSION, wheel.sha256, wheel.filename, root])
        return key, self._cache.root / "fragments" / key[:2] / f"{key}.tar"

    def _write(self, path: Path, wheel: LockedWheel, root: str, tar: Path) -> None:
        # Checked again at the only moment of use: a disk may lose what a killed machine had not yet written.
        if sha256_file(path) != wheel.sha256:
            path.unlink(missing_ok=True)
            raise DownloadCorrupt(
                f"{wheel.filename} in the store is damaged", where=str(path), remedy="run the same command again"
            )
        with open_wheel(path, wheel.filename) as opened, self._cache.replacing(tar) as stream:
            content = {**_Writer(stream, root).write(opened), "left_out": opened.left_out}
        self._cache.write(tar.with_suffix(".json"), json.dumps(content).encode())


class _Writer:
    def __init__(self, stream: BinaryIO, root: str) -> None:
        self._stream = stream
        self._root = root.lstrip("/")
        self._folders = {self._root, *parents(self._root)}
        self._position = 0
        self._layer = hashlib.sha256(opening(root))
        self._sources: list[tuple[str, int, int]] = []

    def write(self, wheel: Wheel) -> dict[str, Any]:
        """Write all files; returns what the piece's table says of them."""
        digests = {}
        for file in wheel.files:
            name = f"{self._root}/{file.path}"
            for folder in parents(name):
                if folder not in self._folders:
                    self._folders.add(folder)
                    self._put(directory_header(folder))
            digests[file.path] = self._put_file(wheel, file, name)
        self._layer.update(END)
        diff_id = f"sha256:{self._layer.hexdigest()}"
        return {"sources": self._sources, "files": digests, "size": self._position, "diff_id": diff_id}

    def _put_file(self, wheel: Wheel, file: WheelFile, name: str) -> str:
        size = file.entry.file_size
        if file.path.startswith("bin/") and file.executable and size <= _SCRIPT_LIMIT:
            data = _with_our_interpreter(wheel.read(file))
            self._put(file_entry(name, data, executable=True))
            return hashlib.sha256(data).hexdigest()
        self._put(file_header(name, size, executable=file.executable))
        if _is_compiled(file.path):
            self._sources.append((name, self._position, size))
        digest = hashlib.sha256()
        for chunk in wheel.chunks(file):
            if file.sha256 is None:
                digest.update(chunk)
            self._put(chunk)
        self._put(padding(size))
        return file.sha256 or digest.hexdigest()

    def _put(self, data: bytes) -> None:
        self._stream.write(data)
        self._layer.update(data)
        self._position += len(data)


def _is_compiled(path: str) -> bool:
    parts = path.split("/")
    return path.endswith(".py") and parts[0] != "bin" and not _UNCOMPILED.intersection(parts)


def _with_our_interpreter(script: bytes) -> bytes:
    """PEP 427: installers put their interpreter in place of ``#!python``."""
    first, newline, rest = script.partition(b"\n")
    return b"#!" + PYTHON.encode() + newline + rest if first.startswith(b"#!python") else script
