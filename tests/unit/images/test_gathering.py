"""What arrives is unpacked at once, and what is refused ends the waiting for the rest."""

import threading
import time

import pytest

from images.fragments import Fragments
from images.gathering import Gathering
from images.pylock import Lock
from images.store import Fetched
from toolchain.core.errors import DependencyFault

ROOT = "/opt/mixpeek/dependencies"


class Arriving:
    """Stands for the store: the wheels arrive one by one, each when the one before was unpacked or refused."""

    def __init__(self, cache, *paths):
        self.fragments = Fragments(cache)
        self.paths = {path.name: path for path in paths}
        self.done = threading.Semaphore(0)

    def fetch(self, wheels, _, arrived):
        for wheel in wheels:
            arrived(wheel, self.paths[wheel.filename])
            self.done.acquire()
            time.sleep(0.05)  # its task ends after what it calls
        return Fetched({}, 7)

    def unpack(self, path, wheel, root):
        try:
            self.fragments.make(path, wheel, root)
        finally:
            self.done.release()
        return self.fragments.find(wheel, root)


def test_each_piece_is_told_when_it_is_there(cache, make_wheel, locked, target):
    path = make_wheel()
    lock, told = Lock((locked(path),), target, ""), []
    store = Arriving(cache, path)
    with Gathering(store, store.unpack) as gathering:
        assert gathering.fetch(lock, ROOT, told.append) == 7
        assert gathering.unpacked(lock, ROOT) == told
    assert [fragment.wheel for fragment in told] == list(lock.wheels)


def test_a_refused_wheel_ends_the_fetching(cache, make_wheel, locked, target):
    bad = make_wheel({".wh.x": b""}, name="bad")
    good = make_wheel(name="good")
    lock = Lock((locked(bad), locked(good)), target, "")
    store = Arriving(cache, bad, good)
    expected = pytest.raises(DependencyFault, match="would remove another file")
    with Gathering(store, store.unpack) as gathering, expected:
        gathering.fetch(lock, ROOT)
