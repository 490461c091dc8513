"""Compiles sources in a container that can reach nothing, by the image's own interpreter.

Compiling a source executes none of it (``compile_sources.py`` sees texts, not modules), and still happens in a
locked container: a parser is a program fed by strangers. Sources go in as one file through the engine's archive
call and bytecode comes back the same way, so a remote engine serves as well as a local one.
"""

from __future__ import annotations

import io
import os
import secrets
import struct
import tarfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from images.base.model import BaseImage
from images.files import Cache
from images.fragments import Source
from images.layout import LABEL, LABEL_ROLE, PYTHON, USER, USER_ID
from toolchain.core.containers.faults import engine_errors
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import EngineRefused
from toolchain.core.tarball import END, file_header, header, padding

PROGRAM: Final = (Path(__file__).parent / "inside" / "compile_sources.py").read_text(encoding="utf-8")
_FOLDER: Final = "mixpeek-compile"
_LABEL_OWNER: Final = LABEL + "owner"
_SECONDS: Final = 700
_MEMORY: Final = 2 << 30
_OUTPUT_LIMIT: Final = 2 << 30
# A container whose owner this cache does not know belongs to another machine; by then it must have ended.
_ABANDONED_SECONDS: Final = 3600


@dataclass(frozen=True)
class Chunk:
    """Sources inside the file ``tar`` that one process compiles in this order."""

    tar: Path
    sources: tuple[Source, ...]


def compile_chunks(
    engine: ContainerEngine, base: BaseImage, chunks: Sequence[Chunk], cache: Cache
) -> Iterator[bytes]:
    """The contents of a ``.pyc`` for each source in order, empty for one that does not compile.

    Raises ``EngineRefused`` when the container fails or answers nonsense, ``EngineUnavailable`` when the engine is
    gone.
    """
    api = engine.client.api
    _remove_abandoned(engine, cache)
    job = b"".join(_framed(chunk) for chunk in chunks)
    with engine_errors("compile bytecode"), _container(engine, base, cache) as container:
        api.put_archive(container, "/", _job(job))
        api.start(container)
        status = int(api.wait(container, timeout=_SECONDS)["StatusCode"])
        if status != 0:
            raise _failure(status, api.logs(container, tail=5))
        stream, _ = api.get_archive(container, f"/{_FOLDER}/output", chunk_size=1 << 20)
        output = _only_file(stream)
    return _results(output)


@contextmanager
def _container(engine: ContainerEngine, base: BaseImage, cache: Cache) -> Iterator[str]:
    """A created container, removed at the end; while we live its owner's lock is held."""
    api = engine.client.api
    owner = f"owner-{secrets.token_hex(8)}"
    with cache.lock(owner):
        created = api.create_container_from_config(_config(engine, base, owner))  # type: ignore[no-untyped-call]
        container = str(created["Id"])
        try:
            yield container
        finally:
            _remove(engine, container, owner, cache)


def _remove(engine: ContainerEngine, container: str, owner: str, cache: Cache) -> None:
    """Remove the container, and only then its owner's lock: by a lock that nobody holds it is found later."""
    with suppress(Exception):
        engine.client.api.remove_container(container, force=True, v=True)
        cache.forget_lock(owner)


def _config(engine: ContainerEngine, base: BaseImage, owner: str) -> dict[str, Any]:
    from docker.types import Ulimit

    api = engine.client.api
    host = api.create_host_config(
        network_mode="none",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        pids_limit=128,
        mem_limit=_MEMORY,
        memswap_limit=_MEMORY,
        ipc_mode="private",
        # podman asks for limits of its own otherwise, and fails where the service may not raise them that far.
        ulimits=[Ulimit(name="nofile", soft=1024, hard=1024), Ulimit(name="nproc", soft=8192, hard=8192)],
    )
    config = api.create_container_config(
        base.id,
        # As -I, but for the one variable that makes sets iterate alike in every run.
        ["-S", "-s", "-P", "-B", "-c", PROGRAM, f"/{_FOLDER}/input", f"/{_FOLDER}/output"],
        user=USER,
        entrypoint=[PYTHON],
        environment={"PYTHONHASHSEED": "0"},
        labels={LABEL_ROLE: "build", _LABEL_OWNER: owner},
        working_dir="/",
        network_disabled=True,
        host_config=host,
    )
    return dict(config)


def _remove_abandoned(engine: ContainerEngine, cache: Cache) -> None:
    """Remove what killed builds left behind."""
    api = engine.client.api
    with engine_errors("list containers"):
        found = api.containers(all=True, filters={"label": f"{LABEL_ROLE}=build"})
    for container in found:
        owner = str(container["Labels"].get(_LABEL_OWNER, ""))
        alive = cache.is_locked(owner) if owner.startswith("owner-") and owner[6:].isalnum() else None
        old = time.time() - float(container["Created"]) > _ABANDONED_SECONDS
        if alive is False or (alive is None and old):
            _remove(engine, str(container["Id"]), owner, cache)


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


def _failure(status: int, said: bytes) -> EngineRefused:
    words = " ".join(said.decode(errors="replace").split())[-300:]
    return EngineRefused(
        f"compiling bytecode failed in its container (exit {status}): {words}",
        remedy="run `mixpeek doctor`; the engine needs 2 GiB of memory for a build",
    )


def _nonsense(what: str) -> EngineRefused:
    return EngineRefused(f"the container that compiles bytecode failed: {what}", remedy="run `mixpeek doctor`")
