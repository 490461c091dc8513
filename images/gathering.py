"""Fetches wheels and unpacks each as soon as it is there: one waits for the network, the other for processors."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from images.fragments import Fragment
from images.pylock import Lock, LockedWheel
from images.store import Progress, WheelStore
from images.unpacking import COUNT

if TYPE_CHECKING:
    from typing_extensions import Self

Ready = Callable[[Fragment], None]
Unpack = Callable[[Path, LockedWheel, str], Fragment]


class Gathering:
    """Wheels on their way to pieces. A context: at its end nothing is under way any more."""

    def __init__(self, store: WheelStore, unpack: Unpack) -> None:
        self._store = store
        self._unpack = unpack
        self._pool = ThreadPoolExecutor(COUNT, "unpack")
        self._tasks: dict[tuple[str, LockedWheel], Future[Fragment]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def fetch(self, lock: Lock, root: str, ready: Ready | None = None, progress: Progress | None = None) -> int:
        """Bring the lock's wheels into the store and begin to unpack them for ``root``; returns the bytes fetched.

        ``ready`` is called with each piece once it is unpacked, from another thread. Raises as
        ``WheelStore.fetch``.
        """

        def unpack(wheel: LockedWheel, path: Path) -> Fragment:
            fragment = self._unpack(path, wheel, root)
            if ready is not None:
                ready(fragment)
            return fragment

        def arrived(wheel: LockedWheel, path: Path) -> None:
            # A wheel that was refused by now is told before gigabytes more come.
            for task in list(self._tasks.values()):
                if task.done():
                    task.result()
            self._tasks[root, wheel] = self._pool.submit(unpack, wheel, path)

        return self._store.fetch(lock.wheels, progress, arrived).downloaded

    def unpacked(self, lock: Lock, root: str) -> list[Fragment]:
        """The pieces of what was fetched, in the order of the lock; waits for them.

        Raises ``DependencyFault`` for a wheel that is refused.
        """
        return [self._tasks[root, wheel].result() for wheel in lock.wheels]
