"""The wheel store: files named by their SHA-256, fetched in parallel, each verified before it gets its name.

A download writes ``<sha256>.part`` under a lock and is renamed only when size and digest fit. A kill leaves the
part, which the next fetch continues with a Range request; two processes that want the same wheel take turns, and
the second finds it there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from images.faults import disk_faults
from images.files import Cache, touch
from images.index_access import CONNECTIONS, IndexClient, failure, status_failure
from images.pylock import LockedWheel
from toolchain.core.errors import DownloadCorrupt

_SIZE_LIMIT: Final = 8 << 30

Progress = Callable[[int], None]
Arrived = Callable[[LockedWheel, Path], None]


@dataclass(frozen=True)
class Fetched:
    """Where each wheel lies, by SHA-256, and how many bytes came over the network."""

    paths: dict[str, Path]
    downloaded: int


class WheelStore:
    """Content-addressed wheels in the cache."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def path(self, sha256: str) -> Path:
        """Where the wheel with this digest lies, or would lie."""
        return self._cache.root / "wheels" / sha256[:2] / f"{sha256}.whl"

    def fetch(
        self, wheels: Iterable[LockedWheel], progress: Progress | None = None, arrived: Arrived | None = None
    ) -> Fetched:
        """Make sure that all ``wheels`` are there; ``progress`` is told the bytes so far.

        ``arrived`` is called with each as soon as it is there, from any thread.

        Raises ``DownloadCorrupt`` when bytes differ from the lock, ``NetworkUnavailable`` when the index fails,
        ``StoreUnavailable`` when the disk is full.
        """
        # The longest first: otherwise it may start last and end alone.
        wheels = sorted(wheels, key=lambda wheel: -wheel.size)
        arrived = arrived or _nobody_waits
        paths = {wheel.sha256: self.path(wheel.sha256) for wheel in wheels}
        missing = []
        for wheel in wheels:
            path = paths[wheel.sha256]
            touch(path)
            if path.is_file():
                arrived(wheel, path)
            else:
                missing.append(wheel)
        if not missing:
            return Fetched(paths, 0)
        counter = _Counter(progress)

        def obtain(wheel: LockedWheel) -> None:
            self._obtain(client, wheel, counter)
            arrived(wheel, paths[wheel.sha256])

        with IndexClient() as client, ThreadPoolExecutor(CONNECTIONS, "fetch") as pool:
            tasks = [pool.submit(obtain, wheel) for wheel in missing]
            try:
                for task in tasks:
                    task.result()
            except BaseException:
                counter.stop()
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        return Fetched(paths, counter.total)

    def _obtain(self, client: IndexClient, wheel: LockedWheel, counter: _Counter) -> None:
        path = self.path(wheel.sha256)
        part = path.with_suffix(".part")
        with disk_faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            # Opened without truncation: what an interrupted download left is continued.
            with part.open("a+b") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)
                if path.is_file():
                    # Another process finished it while we waited; ours may be a new, empty part.
                    if _same_file(stream, part):
                        part.unlink()
                    return
                _Download(client, wheel, stream, counter).run()
                stream.flush()
                part.replace(path)


def _nobody_waits(_wheel: LockedWheel, _path: Path) -> None:
    pass


class _Stopped(Exception):
    """Another download failed: this one ends here, and what came of it is continued next time."""


class _Counter:
    def __init__(self, progress: Progress | None) -> None:
        self.total = 0
        self.stopped = False
        self._progress = progress

    def add(self, count: int) -> None:
        self.total += count
        if self._progress is not None:
            self._progress(self.total)

    def stop(self) -> None:
        self.stopped = True


class _Download:
    """One wheel into its part file: continued if possible, from the start once if what came was wrong."""

    def __init__(self, client: IndexClient, wheel: LockedWheel, stream: BinaryIO, counter: _Counter) -> None:
        self._client = client
        self._wheel = wheel
        self._stream = stream
        self._counter = counter

    def run(self) -> None:
        resumed = self._at_end() > 0
        digest = self._transfer()
        if digest != self._wheel.sha256 and resumed:
            # The old part was from other bytes, or damaged: give it one fresh try.
            self._restart()
            digest = self._transfer()
        if digest != self._wheel.sha256:
            self._restart()
            raise DownloadCorrupt(
                f"{self._wheel.filename} has other bytes than the lock promises"
                f" (SHA-256 {digest[:16]}…, expected {self._wheel.sha256[:16]}…)",
                where=self._wheel.url,
                remedy="try again; if it stays so, something altered the file on its way: do not use it",
            )

    def _transfer(self) -> str:
        """Append what is missing; returns the digest of the whole part."""
        from urllib3.exceptions import HTTPError

        have = self._at_end()
        try:
            with self._client.get(self._wheel.url, have) as answer:
                if have and answer.status == 416:
                    self._restart()
                    return self._transfer()
                if answer.status not in (200, 206):
                    raise status_failure(answer.status, self._wheel)
                if have and answer.status == 200:
                    self._restart()
                return self._receive(answer.body)
        except HTTPError as reason:
            raise failure(reason, self._wheel) from reason

    def _receive(self, body: Iterator[bytes]) -> str:
        digest = hashlib.sha256()
        self._stream.seek(0)
        while chunk := self._stream.read(1 << 20):
            digest.update(chunk)
        size = self._stream.tell()
        limit = self._wheel.size or _SIZE_LIMIT
        for chunk in body:
            if self._counter.stopped:
                raise _Stopped
            size += len(chunk)
            digest.update(chunk)
            if size > limit:
                break  # not what was promised, whatever its beginning is
            self._stream.write(chunk)
            self._counter.add(len(chunk))
        return digest.hexdigest()

    def _at_end(self) -> int:
        return self._stream.seek(0, os.SEEK_END)

    def _restart(self) -> None:
        self._stream.seek(0)
        self._stream.truncate()


def _same_file(stream: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False
