"""Files in the cache: written whole or not at all, by one process at a time.

A kill at any moment leaves at most a temporary file that nobody holds a lock on; a start at least a
minute later removes it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from images.faults import disk_faults

# A new file exists for a moment before its writer holds the lock on it.
_UNLOCKED_SECONDS: Final = 60.0


class Cache:
    """The folders of the cache under ``root``; made on first use."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, name: str) -> Path:
        """The folder ``name``, made if need be."""
        path = self.root / name
        if not path.is_dir():
            with disk_faults(path):
                path.mkdir(parents=True, exist_ok=True)
        return path

    @contextmanager
    def temporary(self, name: str) -> Iterator[tuple[Path, BinaryIO]]:
        """A new file, open for writing, under a name of its own; gone when the block ends unless renamed."""
        path = self.folder("tmp") / f"{name[:80]}.{secrets.token_hex(6)}"
        with disk_faults(self.root), path.open("x+b", buffering=1 << 20) as stream:
            # The lock says "in use" to the sweeper, also across PID namespaces, and dies with this process.
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                yield path, stream
            except BaseException:
                # On a full disk what is buffered cannot be flushed, and closing would raise over the first error.
                with suppress(OSError):
                    stream.truncate(0)
                raise
            finally:
                path.unlink(missing_ok=True)

    @contextmanager
    def replacing(self, target: Path) -> Iterator[BinaryIO]:
        """A file that becomes ``target`` when the block ends well and vanishes when it does not."""
        with self.temporary(target.name) as (path, stream):
            yield stream
            stream.flush()
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)

    def write(self, target: Path, data: bytes) -> None:
        """Write ``data`` as ``target`` in one step."""
        with self.replacing(target) as stream:
            stream.write(data)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold the lock ``name`` against other processes and threads; waits for it."""
        with self._lock_file(name) as stream:
            fcntl.flock(stream, fcntl.LOCK_EX)
            yield

    def is_locked(self, name: str) -> bool | None:
        """Whether somebody holds the lock ``name``; ``None`` when this cache never had such a lock."""
        if not self._lock_path(name).exists():
            return None
        with self._lock_file(name) as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def forget_lock(self, name: str) -> None:
        """Remove the file of a lock that was taken under a name used once."""
        self._lock_path(name).unlink(missing_ok=True)

    def sweep(self) -> int:
        """Remove temporary files whose writer is gone for a minute; returns how many."""
        removed = 0
        written_before = time.time() - _UNLOCKED_SECONDS
        for path in self.folder("tmp").iterdir():
            with suppress(OSError), path.open("rb") as stream:
                if os.fstat(stream.fileno()).st_mtime > written_before:
                    continue
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
                removed += 1
        return removed

    def _lock_path(self, name: str) -> Path:
        return self.root / "locks" / f"{name}.lock"

    def _lock_file(self, name: str) -> BinaryIO:
        self.folder("locks")
        path = self._lock_path(name)
        with disk_faults(path):
            return path.open("ab")


def touch(path: Path) -> None:
    """Mark ``path`` as used now, for pruning by age."""
    with suppress(OSError):
        os.utime(path)
