"""Kept archives as files of this machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

from registry.storage import Storage, StorageFault

_CHUNK = 1 << 20


def fetched(storage: Storage, key: str, sha256: str, folder: Path) -> Path:
    """The archive in ``folder``, hashed on its way. Raises ``StorageFault`` when it is not the published one."""
    path = folder / "archive.tar.gz"
    digest = hashlib.sha256()
    with storage.open(key) as stream:
        if stream is None:
            raise StorageFault("the archive is gone from the object store")
        with path.open("wb") as target:
            while chunk := stream.read(_CHUNK):
                digest.update(chunk)
                target.write(chunk)
    if digest.hexdigest() != sha256:
        raise StorageFault("the object store gave back other bytes than were published")
    return path
