"""Bytecode for unpacked wheels: one piece for each wheel piece and base distribution, in the cache.

Its interpreter is that of the distribution, which the user may have named: another distribution's images must not
run what it wrote, since nothing checks bytecode against its source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from images.base.model import BaseImage
from images.compile_container import PROGRAM, Chunk, Compiler
from images.files import Cache, touch
from images.fragments import Fragment
from images.layout import LAYOUT_VERSION
from toolchain.core.digests import sha256_bytes, sha256_json
from toolchain.core.tarball import directory_header, file_entry, parents

# Chunks fill the cores evenly without a fork for every small package; where they are cut is part of the result.
_CHUNK_BYTES = 1 << 20


class Bytecode:
    """Compiled pieces in the cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def compile(self, fragments: Sequence[Fragment], compiler: Compiler, base: BaseImage) -> list[Path]:
        """A tar of ``__pycache__`` entries for each fragment, in order; ``compiler`` makes those that are missing.

        Raises ``EngineRefused`` when the container fails, ``EngineUnavailable`` when the engine is gone.
        """
        paths = [self._path(fragment, base) for fragment in fragments]
        missing = [(one, path) for one, path in zip(fragments, paths, strict=True) if not path.is_file()]
        for path in paths:
            touch(path)
        chunks = [chunk for fragment, _ in missing for chunk in _chunks(fragment)]
        results = compiler.compile(chunks) if chunks else iter(())
        for fragment, path in missing:
            self._write(fragment, path, base, results)
        return paths

    def _path(self, fragment: Fragment, base: BaseImage) -> Path:
        compiler = sha256_bytes(PROGRAM.encode())
        maker = [base.runnable.source_id, base.runnable.target.python, compiler, _CHUNK_BYTES]
        key = sha256_json(["bytecode", LAYOUT_VERSION, fragment.key, *maker])
        return self._cache.root / "bytecode" / key[:2] / f"{key}.tar"

    def _write(self, fragment: Fragment, path: Path, base: BaseImage, results: Iterator[bytes]) -> None:
        major, minor = base.target.minor
        root = fragment.root.lstrip("/")
        folders = {root, *parents(root)}
        with self._cache.replacing(path) as stream:
            for source in fragment.sources:
                code = next(results)
                if not code:
                    continue
                folder = f"{PurePosixPath(source.path).parent}/__pycache__"
                name = f"{folder}/{PurePosixPath(source.path).stem}.cpython-{major}{minor}.pyc"
                # The folders too: an engine makes those that a layer leaves out, and nobody may read them (0600).
                for place in parents(name):
                    if place not in folders:
                        folders.add(place)
                        stream.write(directory_header(place))
                stream.write(file_entry(name, code))


def _chunks(fragment: Fragment) -> Iterator[Chunk]:
    """The fragment's sources in their order, cut where a chunk is full: equal fragments give equal chunks."""
    start = size = 0
    for position, source in enumerate(fragment.sources, start=1):
        size += source.size
        if size >= _CHUNK_BYTES:
            yield Chunk(fragment.tar, fragment.sources[start:position])
            start, size = position, 0
    if start < len(fragment.sources):
        yield Chunk(fragment.tar, fragment.sources[start:])
