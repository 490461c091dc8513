"""Compiles sources in a container that can reach nothing, by the image's own interpreter.

Compiling a source executes none of it (``compile_sources.py`` sees texts, not modules), and still happens in a
locked container: a parser is a program fed by strangers.
"""

from __future__ import annotations

import io
import os
import struct
import tarfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from images.base.model import BaseImage
from images.build_container import Work, build_container, run_to_end
from images.files import Cache
from images.fragments import Source
from toolchain.core.containers.faults import engine_errors
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import EngineRefused
from toolchain.core.image_layout import USER_ID
from toolchain.core.tarball import END, file_header, header, padding

if TYPE_CHECKING:
    from typing_extensions import Self

PROGRAM: Final = (Path(__file__).parent / "inside" / "compile_sources.py").read_text(encoding="utf-8")
_FOLDER: Final = "mixpeek-compile"
_OUTPUT_LIMIT: Final = 2 << 30


@dataclass(frozen=True)
class Chunk:
    """Sources inside the file ``tar`` that one process compiles in this order."""

    tar: Path
    sources: tuple[Source, ...]


class Compiler:
    """A container that compiles once, created while its work is on its way. A context: it is gone at its end.

    ``base`` is one whose interpreter the engine can run.
    """

    def __init__(self, engine: ContainerEngine, base: BaseImage, cache: Cache) -> None:
        self._engine = engine
        self._work = compiling(base)
        self._end = ExitStack()
        self._pool = ThreadPoolExecutor(1, "compiler")
        container = build_container(engine, self._work, cache)
        self._container = self._pool.submit(self._end.enter_context, container)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *reason: object) -> None:
        self._pool.shutdown(wait=True)
        self._end.close()

    def compile(self, chunks: Sequence[Chunk]) -> Iterator[bytes]:
        """The contents of a ``.pyc`` for each source in order, empty for one that does not compile.

        Raises ``EngineRefused`` when the container fails or answers nonsense, ``EngineUnavailable`` when the
        engine is gone.
        """
        api = self._engine.client.api
        job = b"".join(_framed(chunk) for chunk in chunks)
        container = self._container.result()
        with engine_errors(self._work.doing):
            api.put_archive(container, "/", _job(job))
        run_to_end(self._engine, container, self._work)
        with engine_errors(self._work.doing):
            stream, _ = api.get_archive(container, f"/{_FOLDER}/output", chunk_size=1 << 20)
            output = _only_file(stream)
        # Beside what follows, and before it: should the engine die then, nothing of ours is left in it.
        self._pool.submit(self._end.close)
        return _results(output)


def compiling(base: BaseImage) -> Work:
    """The work of a container that compiles by the interpreter of ``base``."""
    # As -I, but for the one variable that makes sets iterate alike in every run.
    arguments = ["-S", "-s", "-P", "-B", "-c", PROGRAM, f"/{_FOLDER}/input", f"/{_FOLDER}/output"]
    return Work(base, "compile bytecode", arguments, environment={"PYTHONHASHSEED": "0"})


def _framed(chunk: Chunk) -> bytes:
    body = io.BytesIO()
    with chunk.tar.open("rb", buffering=0) as tar:
        for source in chunk.sources:
            path = f"/{source.path}".encode()
            body.write(struct.pack("<I", len(path)) + path + struct.pack("<I", source.size))
            body.write(os.pread(tar.fileno(), source.size, source.offset))
    return struct.pack("<II", len(chunk.sources), body.tell()) + body.getvalue()


def _job(sources: bytes) -> Iterator[bytes]:
    yield header(f"{_FOLDER}/", 0, b"5", 0o700, owner=USER_ID, group=USER_ID)
    yield file_header(f"{_FOLDER}/input", len(sources))
    yield sources
    yield padding(len(sources))
    yield END


def _only_file(stream: Iterator[bytes]) -> bytes:
    data = bytearray()
    for chunk in stream:
        data += chunk
        if len(data) > _OUTPUT_LIMIT:
            raise _nonsense("it wrote more than any bytecode")
    try:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            member = archive.next()
            content = archive.extractfile(member) if member is not None and member.isreg() else None
            if content is not None:
                return content.read()
    except tarfile.TarError:
        pass
    raise _nonsense("it gave no file back")


def _results(output: bytes) -> Iterator[bytes]:
    position = 0
    while position + 4 <= len(output):
        (size,) = struct.unpack_from("<I", output, position)
        position += 4
        if position + size > len(output):
            break
        yield output[position : position + size]
        position += size
    raise _nonsense("its answer breaks off")


def _nonsense(what: str) -> EngineRefused:
    return EngineRefused(f"the container that compiles bytecode failed: {what}", remedy="run `mixpeek doctor`")
