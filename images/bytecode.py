"""Bytecode for unpacked wheels: one piece for each wheel piece and base distribution, in the cache.

Its interpreter is that of the distribution, which the user may have named: another distribution's images must not
run what it wrote, since nothing checks bytecode against its source.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path, PurePosixPath

from images.base.model import BaseImage
from images.compile_container import PROGRAM, Chunk, Compiler
from images.files import Cache, touch
from images.fragments import Fragment, Source
from images.layout import LAYOUT_VERSION
from toolchain.core.digests import sha256_bytes, sha256_json
from toolchain.core.tarball import directory_header, file_entry, parents

# Chunks fill the cores evenly without a fork for every small package; where they are cut is part of the result.
_CHUNK_BYTES = 1 << 20
# Bytes of one source and of all of a wheel. Beyond them modules are imported without bytecode; torch has 60 MB.
_SOURCE_LIMIT = 8 << 20
_SOURCES_LIMIT = 256 << 20


class Bytecode:
    """Compiled pieces in the cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def compile(self, fragments: Sequence[Fragment], compiler: Compiler, base: BaseImage) -> list[Path]:
        """A tar of ``__pycache__`` entries for each fragment, in order; ``compiler`` makes those that are missing.

        Raises ``EngineRefused`` when the container fails, ``EngineUnavailable`` when the engine is gone.
        """
        paths = [self._path(fragment, base) for fragment in fragments]
        missing = [(one, path) for one, path in zip(fragments, paths, strict=True) if not _is_there(path, one)]
        for path in paths:
            touch(path)
        chunks = [chunk for fragment, _ in missing for chunk in _chunks(fragment)]
        with closing(compiler.compile(chunks)) as results:
            for fragment, path in missing:
                self._write(fragment, path, base, results)
        compiler.close()
        return paths

    def _path(self, fragment: Fragment, base: BaseImage) -> Path:
        compiler = sha256_bytes(PROGRAM.encode())
        limits = [_CHUNK_BYTES, _SOURCE_LIMIT, _SOURCES_LIMIT]
        maker = [base.runnable.source_id, base.runnable.target.python, compiler, *limits]
        key = sha256_json(["bytecode", LAYOUT_VERSION, fragment.key, *maker])
        return self._cache.root / "bytecode" / key[:2] / f"{key}.tar"

    def _write(self, fragment: Fragment, path: Path, base: BaseImage, results: Iterator[bytes]) -> None:
        major, minor = base.target.minor
        root = fragment.root.lstrip("/")
        folders = {root, *parents(root)}
        compiled = {source.path for source in _compiled(fragment)}
        with self._cache.replacing(path) as stream:
            for source in fragment.sources:
                # Empty for one that does not compile: importing then takes the source, and the bytecode of another
                # wheel's file in the same place, which lost to this one, does not stand in for it.
                code = next(results) if source.path in compiled else b""
                folder = f"{PurePosixPath(source.path).parent}/__pycache__"
                name = f"{folder}/{PurePosixPath(source.path).stem}.cpython-{major}{minor}.pyc"
                # The folders too: an engine makes those that a layer leaves out, and nobody may read them (0600).
                for place in parents(name):
                    if place not in folders:
                        folders.add(place)
                        stream.write(directory_header(place))
                stream.write(file_entry(name, code))


def _is_there(path: Path, fragment: Fragment) -> bool:
    """A machine that was killed may leave a file that lost its bytes."""
    return path.is_file() and (path.stat().st_size > 0 or not fragment.sources)


def _compiled(fragment: Fragment) -> list[Source]:
    """The sources within the limits, in their order."""
    chosen, left = [], _SOURCES_LIMIT
    for source in fragment.sources:
        if source.size <= min(_SOURCE_LIMIT, left):
            chosen.append(source)
            left -= source.size
    return chosen


def _chunks(fragment: Fragment) -> Iterator[Chunk]:
    """The compiled sources in their order, cut where a chunk is full: equal fragments give equal chunks."""
    sources = _compiled(fragment)
    start = size = 0
    for position, source in enumerate(sources, start=1):
        size += source.size
        if size >= _CHUNK_BYTES:
            yield Chunk(fragment.tar, tuple(sources[start:position]))
            start, size = position, 0
    if start < len(sources):
        yield Chunk(fragment.tar, tuple(sources[start:]))
