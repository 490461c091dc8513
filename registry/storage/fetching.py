"""Objects as files of this machine, hashed on their way."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from registry.storage.interface import Storage, StorageFault

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Fetched:
    """What came out of the store: its digests (the MD5 is what a store's ETag is) and its size in bytes."""

    sha256: str
    md5: str
    size: int


def fetch(storage: Storage, key: str, path: Path, most: int) -> Fetched | None:
    """Copy an object to ``path``; ``None`` when there is none.

    A copy ends once it is longer than ``most`` bytes: the size says so. Raises ``StorageFault``.
    """
    sha256, md5, size = hashlib.sha256(), hashlib.md5(usedforsecurity=False), 0
    with storage.open(key) as stream:
        if stream is None:
            return None
        with path.open("wb") as target:
            while size <= most and (chunk := stream.read(_CHUNK)):
                size += len(chunk)
                sha256.update(chunk)
                md5.update(chunk)
                target.write(chunk)
    return Fetched(sha256.hexdigest(), md5.hexdigest(), size)


@dataclass(frozen=True)
class KeptArchive:
    """An archive that the registry took: where it lies, its SHA-256 and its size in bytes."""

    key: str
    sha256: str
    size: int


def fetch_kept(storage: Storage, kept: KeptArchive, path: Path) -> Path:
    """Copy a kept archive to ``path``. Raises ``StorageFault`` when it is gone or another: that is our loss."""
    fetched = fetch(storage, kept.key, path, kept.size)
    if fetched is None:
        raise StorageFault("the archive is gone from the object store")
    if fetched.sha256 != kept.sha256:
        raise StorageFault("the object store gave back other bytes than were kept there")
    return path
