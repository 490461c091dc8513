"""Compiles sources in a container that can reach nothing, by the image's own interpreter.

Compiling a source executes none of it (``compile_sources.py`` sees texts, not modules), and still happens in a
locked container: a parser is a program fed by strangers.
"""

from __future__ import annotations

import io
import os
import struct
import tarfile
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from images.base.model import BaseImage
from images.build_container import Work, archive_of, build_container, run_to_end
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
_RESULT_LIMIT: Final = 256 << 20
_HEADER: Final = struct.Struct("<II")
_LENGTH: Final = struct.Struct("<I")


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
        self._cache = cache
        self._work = compiling(base)
        self._end = ExitStack()
        self._pool = ThreadPoolExecutor(1, "compiler")

    def __enter__(self) -> Self:
        container = build_container(self._engine, self._work, self._cache)
        self._container = self._pool.submit(self._end.enter_context, container)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True)
        self._end.close()

    def close(self) -> None:
        """Begin to remove the container: it is not needed any more."""
        self._pool.submit(self._end.close)

    def compile(self, chunks: Sequence[Chunk]) -> Generator[bytes, None, None]:
        """The contents of a ``.pyc`` for each source in order, empty for one that does not compile.

        Raises ``EngineRefused`` when the container fails or answers nonsense, ``EngineUnavailable`` when the
        engine is gone.
        """
        if not chunks:
            return
        api = self._engine.client.api
        container = self._container.result()
        with engine_errors(self._work.doing):
            api.put_archive(container, "/", _job(chunks))
        run_to_end(self._engine, container, self._work)
        with archive_of(self._engine, container, f"/{_FOLDER}/output", self._work) as stream:
            yield from _results(stream)


def compiling(base: BaseImage) -> Work:
    """The work of a container that compiles by the interpreter of ``base``."""
    # As -I, but for the one variable that makes sets iterate alike in every run.
    arguments = ["-S", "-s", "-P", "-B", "-c", PROGRAM, f"/{_FOLDER}/input", f"/{_FOLDER}/output"]
    return Work(base, "compile bytecode", arguments, environment={"PYTHONHASHSEED": "0"})


def _job(chunks: Sequence[Chunk]) -> Iterator[bytes]:
    size = sum(_HEADER.size + _framed_size(chunk) for chunk in chunks)
    yield header(f"{_FOLDER}/", 0, b"5", 0o700, owner=USER_ID, group=USER_ID)
    yield file_header(f"{_FOLDER}/input", size)
    for chunk in chunks:
        yield _framed(chunk)
    yield padding(size)
    yield END


def _framed(chunk: Chunk) -> bytes:
    body = io.BytesIO()
    body.write(_HEADER.pack(len(chunk.sources), _framed_size(chunk)))
    with chunk.tar.open("rb", buffering=0) as tar:
        for source in chunk.sources:
            path = f"/{source.path}".encode()
            body.write(_LENGTH.pack(len(path)) + path + _LENGTH.pack(source.size))
            body.write(os.pread(tar.fileno(), source.size, source.offset))
    return body.getvalue()


def _framed_size(chunk: Chunk) -> int:
    return sum(2 * _LENGTH.size + len(f"/{source.path}".encode()) + source.size for source in chunk.sources)


class _Stream(io.RawIOBase):
    """Chunks of bytes as a file that is read once."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            if (chunk := next(self._chunks, None)) is None:
                return 0
            self._left = memoryview(chunk)
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


def _results(stream: Iterator[bytes]) -> Iterator[bytes]:
    """What the one file in an archive holds, result by result: no more than one of them is in memory."""
    try:
        with tarfile.open(fileobj=io.BufferedReader(_Stream(stream)), mode="r|", bufsize=1 << 20) as archive:
            member = archive.next()
            content = archive.extractfile(member) if member is not None and member.isreg() else None
            while content is not None and len(length := content.read(_LENGTH.size)) == _LENGTH.size:
                (size,) = _LENGTH.unpack(length)
                code = content.read(size) if size <= _RESULT_LIMIT else b""
                if len(code) < size:
                    break
                yield code
    except tarfile.TarError:
        pass
    raise _nonsense("its answer breaks off")


def _nonsense(what: str) -> EngineRefused:
    return EngineRefused(f"the container that compiles bytecode failed: {what}", remedy="run `mixpeek doctor`")
