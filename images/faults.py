"""The errors of this package and the translation of the system's into them."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolchain.core.errors import MixpeekError


class StoreUnavailable(MixpeekError):
    """The cache directory cannot be written: full, read-only, not ours or nowhere."""

    id = "store-unavailable"


_REASONS = {
    errno.ENOSPC: ("there is no space left on the disk", "free some space (`mixpeek cache prune`) and try again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space (`mixpeek cache prune`) and try again"),
    errno.EROFS: ("the file system is read-only", "set MIXPEEK_CACHE_DIR to a folder that can be written"),
    errno.EACCES: ("permission was denied", "set MIXPEEK_CACHE_DIR to a folder that you may write"),
    errno.EPERM: ("permission was denied", "set MIXPEEK_CACHE_DIR to a folder that you may write"),
}


@contextmanager
def disk_faults(place: Path) -> Iterator[None]:
    """Turn a full or closed disk into ``StoreUnavailable``; other errors pass."""
    try:
        yield
    except OSError as reason:
        known = _REASONS.get(reason.errno or 0)
        if known is None:
            raise
        raise StoreUnavailable(
            f"the cache cannot be written: {known[0]}", where=str(place), remedy=known[1]
        ) from reason
