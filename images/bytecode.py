"""Bytecode for unpacked wheels, made by the image's own interpreter in a container that can reach nothing.

Compiling a source executes none of it (``compile_sources.py`` sees texts, not modules), and still happens in a locked
container: a parser is a program fed by strangers. Sources go in as one file through the engine's archive call and
bytecode comes back the same way, so a remote engine serves as well as a local one.
"""

from __future__ import annotations

import io
import os
import struct
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from images.base.model import BaseImage
from images.engine_calls import engine_faults
from images.files import Cache, touch
from images.fragments import Fragment, Source
from images.layout import LABEL_ROLE, LAYOUT_VERSION, PYTHON, USER_ID
from images.tarball import END, directory_header, file_entry, file_header, header, padding
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.digests import sha256_bytes, sha256_json
from toolchain.core.errors import EngineRefused

_PROGRAM: Final = (Path(__file__).parent / "inside" / "compile_sources.py").read_bytes()
# Chunks fill the cores evenly without a fork for every small package; they are part of the result (see the program).
_CHUNK_BYTES: Final = 1 << 20
_FOLDER: Final = "mixpeek-compile"
_SECONDS: Final = 900
_OUTPUT_LIMIT: Final = 4 << 30
_MEMORY: Final = 2 << 30


@dataclass(frozen=True)
class _Chunk:
    fragment: Fragment
    sources: tuple[Source, ...]


class Bytecode:
    """Compiled pieces in the cache, one for each wheel piece and interpreter."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def compile(self, fragments: Sequence[Fragment], engine: ContainerEngine, base: BaseImage) -> list[Path]:
        """A tar of ``__pycache__`` entries for each fragment, in order. One container for all that are missing.

        Raises ``EngineRefused`` when the container fails, ``EngineUnavailable`` when the engine is gone.
        """
        paths = [self._path(fragment, base) for fragment in fragments]
        missing = [(one, path) for one, path in zip(fragments, paths, strict=True) if not path.is_file()]
        for path in paths:
            touch(path)
        if missing:
            chunks = [chunk for fragment, _ in missing for chunk in _chunks(fragment)]
            results = _results(_run(engine, base, chunks, self._cache)) if chunks else iter(())
            for fragment, path in missing:
                self._write(fragment, path, base, results)
        return paths

    def _path(self, fragment: Fragment, base: BaseImage) -> Path:
        key = sha256_json(["bytecode", LAYOUT_VERSION, fragment.key, base.target.python, sha256_bytes(_PROGRAM)])
        return self._cache.root / "bytecode" / key[:2] / f"{key}.tar"

    def _write(self, fragment: Fragment, path: Path, base: BaseImage, results: Iterator[bytes]) -> None:
        major, minor = base.target.minor
        folders: set[str] = set()
        with self._cache.replacing(path) as stream:
            for source in fragment.sources:
                code = next(results)
                if not code:
                    continue
                folder = f"{PurePosixPath(source.path).parent}/__pycache__"
                if folder not in folders:
                    folders.add(folder)
                    stream.write(directory_header(folder))
                name = f"{folder}/{PurePosixPath(source.path).stem}.cpython-{major}{minor}.pyc"
                stream.write(file_entry(name, code))


def _chunks(fragment: Fragment) -> Iterator[_Chunk]:
    """The fragment's sources in their order, cut where a chunk is full: equal fragments give equal chunks."""
    group: list[Source] = []
    size = 0
    for source in fragment.sources:
        group.append(source)
        size += source.size
        if size >= _CHUNK_BYTES:
            yield _Chunk(fragment, tuple(group))
            group, size = [], 0
    if group:
        yield _Chunk(fragment, tuple(group))


def _run(engine: ContainerEngine, base: BaseImage, chunks: Sequence[_Chunk], cache: Cache) -> bytes:
    """What the program in the container wrote."""
    api = engine.client.api
    sources = b"".join(_framed(chunk) for chunk in chunks)
    with engine_faults(engine, "compiling bytecode"):
        container = api.create_container_from_config(_container(engine, base), name=None)["Id"]
        try:
            api.put_archive(container, "/", _job(sources))
            api.start(container)
            status = int(api.wait(container, timeout=_SECONDS)["StatusCode"])
            if status != 0:
                said = api.logs(container, tail=5).decode(errors="replace").strip()
                raise EngineRefused(
                    f"compiling bytecode failed in the container (exit {status}): {said[-300:]}",
                    remedy="run `mixpeek doctor`; give the engine at least 2 GiB of memory",
                )
            stream, _ = api.get_archive(container, f"/{_FOLDER}/output", chunk_size=1 << 20)
            return _only_file(stream)
        finally:
            with suppress(Exception):
                api.remove_container(container, force=True, v=True)


def _container(engine: ContainerEngine, base: BaseImage) -> dict[str, Any]:
    api = engine.client.api
    host = api.create_host_config(
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        pids_limit=128,
        mem_limit=_MEMORY,
        memswap_limit=_MEMORY,
        ipc_mode="private",
    )
    arguments = ["-S", "-s", "-P", "-B", "-c", _PROGRAM.decode(), f"/{_FOLDER}/input", f"/{_FOLDER}/output"]
    config = api.create_container_config(
        base.id,
        arguments,
        user=f"{USER_ID}:{USER_ID}",
        entrypoint=[PYTHON],
        environment={"PYTHONHASHSEED": "0"},
        labels={LABEL_ROLE: "build"},
        working_dir="/",
        network_disabled=True,
        host_config=host,
    )
    return dict(config)


def _framed(chunk: _Chunk) -> bytes:
    body = io.BytesIO()
    with chunk.fragment.tar.open("rb", buffering=0) as tar:
        for source in chunk.sources:
            path = f"/{source.path}".encode()
            body.write(struct.pack("<I", len(path)) + path + struct.pack("<I", source.size))
            body.write(os.pread(tar.fileno(), source.size, source.offset))
    return struct.pack("<II", len(chunk.sources), body.tell()) + body.getvalue()


def _job(sources: bytes) -> Iterator[bytes]:
    yield header(f"{_FOLDER}/", 0, b"5", 0o700, owner=(USER_ID, USER_ID))
    yield file_header(f"{_FOLDER}/input", len(sources))
    yield sources
    yield padding(len(sources))
    yield END


def _only_file(stream: Iterator[bytes]) -> bytes:
    data = bytearray()
    for chunk in stream:
        data += chunk
        if len(data) > _OUTPUT_LIMIT:
            raise EngineRefused(
                "the compiling container wrote more than any bytecode", remedy="run `mixpeek doctor`"
            )
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.next()
        content = archive.extractfile(member) if member is not None and member.isreg() else None
        if content is None:
            raise EngineRefused("the compiling container gave no file back", remedy="run `mixpeek doctor`")
        return content.read()


def _results(output: bytes) -> Iterator[bytes]:
    """The bytecodes in the order of their sources. Raises ``EngineRefused`` when the framing does not add up."""
    position = 0
    while position + 4 <= len(output):
        (size,) = struct.unpack_from("<I", output, position)
        position += 4
        if position + size > len(output):
            break
        yield output[position : position + size]
        position += size
    raise EngineRefused("the compiling container's answer breaks off", remedy="run the same command again")
