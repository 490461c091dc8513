"""What arrives is unpacked at once, and what is refused ends the waiting for the rest."""

import pytest

from images.gathering import Gathering
from images.pylock import Lock
from images.store import Fetched
from toolchain.core.errors import DependencyFault

ROOT = "/opt/mixpeek/dependencies"


def fetching(gathering, monkeypatch, paths):
    """Let the wheels arrive one by one, each when the one before is unpacked."""

    def fetch(wheels, progress, arrived):
        for wheel in wheels:
            arrived(wheel, paths[wheel.filename])
            for task in list(gathering._tasks.values()):
                task.exception()
        return Fetched({}, 7)

    monkeypatch.setattr(gathering._store, "fetch", fetch)


def test_each_piece_is_told_when_it_is_there(cache, make_wheel, locked, target, monkeypatch):
    path = make_wheel()
    lock, told = Lock((locked(path),), target, ""), []
    with Gathering(cache) as gathering:
        fetching(gathering, monkeypatch, {path.name: path})
        assert gathering.fetch(lock, ROOT, told.append) == 7
        assert gathering.unpacked(lock, ROOT) == told
    assert [fragment.wheel for fragment in told] == list(lock.wheels)


def test_a_refused_wheel_ends_the_fetching(cache, make_wheel, locked, target, monkeypatch):
    bad = make_wheel({".wh.x": b""}, name="bad")
    good = make_wheel(name="good")
    lock = Lock((locked(bad), locked(good)), target, "")
    with Gathering(cache) as gathering:
        fetching(gathering, monkeypatch, {bad.name: bad, good.name: good})
        with pytest.raises(DependencyFault, match="would remove another file"):
            gathering.fetch(lock, ROOT)
