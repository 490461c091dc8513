"""A container in which a part of an image is made: it runs the base's own interpreter and can reach nothing.

Files go in and come out through the engine's archive calls, so a remote engine serves as well as a local one.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Final

from images.base.model import BaseImage
from images.files import Cache
from images.layout import LABEL, LABEL_ROLE
from toolchain.core.containers.faults import engine_errors, engine_refusal
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import EngineRefused
from toolchain.core.image_layout import PYTHON, USER

_LABEL_OWNER: Final = LABEL + "owner"
_SECONDS: Final = 700
_MEMORY: Final = 2 << 30
_FILE_SIZE: Final = 4 << 30
_CHUNK: Final = 1 << 20
# A container whose owner this cache does not know belongs to another machine; by then that must have ended. It
# waits for downloads, which on a slow line take hours.
_ABANDONED_SECONDS: Final = 86_400


@dataclass(frozen=True)
class Work:
    """What the interpreter of ``base`` is started with, as whom; ``doing`` names it in messages."""

    base: BaseImage
    doing: str
    arguments: Sequence[str]
    user: str = USER
    environment: Mapping[str, str] = field(default_factory=dict)


@contextmanager
def build_container(engine: ContainerEngine, work: Work, cache: Cache) -> Iterator[str]:
    """The id of a container that was created for ``work`` and not started; removed at the end.

    While we live its owner's lock is held: by a lock that nobody holds a container is found when its maker died.
    """
    api = engine.client.api
    remove_abandoned(engine, cache)
    owner = f"owner-{secrets.token_hex(8)}"
    with cache.lock(owner):
        try:
            with engine_errors(work.doing):
                created = api.create_container_from_config(config(engine, work, owner))  # type: ignore[no-untyped-call]
        except EngineRefused:
            cache.forget_lock(owner)
            raise
        container = str(created["Id"])
        try:
            yield container
        finally:
            _remove(engine, container, owner, cache)


def run_to_end(engine: ContainerEngine, container: str, work: Work) -> None:
    """Start it and wait. Raises ``EngineRefused`` with its last words when it fails."""
    api = engine.client.api
    with engine_errors(work.doing):
        api.start(container)
        status = int(api.wait(container, timeout=_SECONDS)["StatusCode"])
        if status != 0:
            words = " ".join(api.logs(container, tail=5).decode(errors="replace").split())[-300:]
            raise EngineRefused(
                f"could not {work.doing}: its container failed (exit {status}): {words}",
                remedy="run `mixpeek doctor`; the engine needs 2 GiB of memory for a build",
            )


@contextmanager
def archive_of(engine: ContainerEngine, container: str, path: str, work: Work) -> Iterator[Iterator[bytes]]:
    """The tar of ``path`` in a container as chunks; raises as the engine's calls do, also while it is read.

    The SDK's own call leaves the answer open when its reader stops half-way, and while somebody reads from a
    container, an engine keeps it locked, against removal too.
    """
    api = engine.client.api
    address = f"{api.base_url}/v{engine.api_version}/containers/{container}/archive"
    with (
        engine_errors(work.doing),
        closing(api.get(address, params={"path": path}, stream=True, timeout=_SECONDS)) as response,
    ):
        if response.status_code != 200:
            raise engine_refusal(work.doing, response.text)
        yield response.iter_content(_CHUNK)


def config(engine: ContainerEngine, work: Work, owner: str) -> dict[str, Any]:
    """The body of the engine's "create a container" call."""
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
        ulimits=[
            Ulimit(name="nofile", soft=1024, hard=1024),
            Ulimit(name="nproc", soft=8192, hard=8192),
            Ulimit(name="fsize", soft=_FILE_SIZE, hard=_FILE_SIZE),
        ],
    )
    created = api.create_container_config(
        work.base.id,
        list(work.arguments),
        user=work.user,
        entrypoint=[PYTHON],
        environment=dict(work.environment),
        labels={LABEL_ROLE: "build", _LABEL_OWNER: owner},
        working_dir="/",
        network_disabled=True,
        host_config=host,
    )
    return dict(created)


def _remove(engine: ContainerEngine, container: str, owner: str, cache: Cache) -> None:
    """Remove the container, and only then its owner's lock."""
    import docker.errors

    with suppress(Exception):
        with suppress(docker.errors.NotFound):
            engine.client.api.remove_container(container, force=True, v=True)
        cache.forget_lock(owner)


def any_abandoned(cache: Cache) -> bool:
    """Whether builds over this cache made containers that they did not remove, or not yet; 20 us."""
    return any((cache.root / "locks").glob("owner-*"))


def remove_abandoned(engine: ContainerEngine, cache: Cache) -> None:
    """Remove what builds left behind that were killed or lost their engine."""
    api = engine.client.api
    with engine_errors("list containers"):
        found = api.containers(all=True, filters={"label": f"{LABEL_ROLE}=build"})
    for container in found:
        owner = str(container["Labels"].get(_LABEL_OWNER, ""))
        alive = cache.is_locked(owner) if owner.startswith("owner-") and owner[6:].isalnum() else None
        old = time.time() - float(container["Created"]) > _ABANDONED_SECONDS
        if alive is False or (alive is None and old):
            _remove(engine, str(container["Id"]), owner, cache)
    for lock in (cache.root / "locks").glob("owner-*.lock"):
        # Of a container that was never made, or of another engine that has had its day.
        with suppress(FileNotFoundError):
            if time.time() - lock.stat().st_mtime > _ABANDONED_SECONDS and not cache.is_locked(lock.stem):
                lock.unlink()
