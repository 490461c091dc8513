"""Pruning takes the oldest first, whole, and spares what a build may be reading."""

import os
import time

import pytest

from images.cache import prune, show


@pytest.fixture
def fill(cache):
    """Write a file of ``size`` bytes that was last used ``hours`` ago."""

    def write(name, size, hours):
        path = cache.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
        moment = time.time() - hours * 3600
        os.utime(path, (moment, moment))
        return path

    return write


def test_what_is_there_is_counted_by_kind(cache, fill):
    fill("wheels/aa/1.whl", 10, 1)
    fill("wheels/bb/2.whl", 20, 5)
    fill("fragments/aa/x.tar", 5, 0)
    fill("fragments/aa/x.json", 1, 0)
    wheels, fragments = show(cache)
    assert (wheels.kind, wheels.files, wheels.bytes) == ("wheels", 2, 30)
    assert wheels.oldest_seconds == pytest.approx(5 * 3600, abs=5)
    assert (fragments.files, fragments.bytes) == (2, 6)


def test_an_empty_cache_shows_nothing_and_prunes_to_nothing(cache):
    assert show(cache) == ()
    assert prune(cache).files == 0


def test_the_least_recently_used_go_first_until_enough_is_gone(cache, fill):
    old, middle, new = (fill(f"wheels/{hours}/a.whl", 100, hours) for hours in (30, 20, 10))
    result = prune(cache, keep_bytes=200)
    assert (result.files, result.bytes, result.left_bytes) == (1, 100, 200)
    assert (old.exists(), middle.exists(), new.exists()) == (False, True, True)


def test_a_piece_goes_with_its_table(cache, fill):
    tar, table = fill("fragments/aa/x.tar", 100, 30), fill("fragments/aa/x.json", 1, 2)
    prune(cache, keep_bytes=1, unused_seconds=3600 * 24)
    assert not tar.exists()
    assert not table.exists()


def test_what_was_just_used_is_spared(cache, fill):
    path = fill("wheels/aa/a.whl", 100, 0.5)
    prune(cache, keep_bytes=1)
    assert path.exists()


def test_age_alone_removes_too(cache, fill):
    old, new = fill("wheels/aa/a.whl", 1, 100), fill("wheels/bb/b.whl", 1, 10)
    prune(cache, unused_seconds=50 * 3600)
    assert (old.exists(), new.exists()) == (False, True)


def test_records_stay_unless_all_is_to_go(cache, fill):
    record, lock = fill("layers/a.json", 10, 1000), fill("locks-resolved/a.toml", 10, 1000)
    prune(cache, keep_bytes=1)
    assert record.exists()
    prune(cache, keep_bytes=0)
    assert not record.exists()
    assert not lock.exists()


def test_emptying_leaves_what_is_being_written(cache, fill):
    fill("wheels/aa/a.whl", 100, 0)
    with cache.temporary("x") as (path, _):
        prune(cache, keep_bytes=0)
        assert path.exists()
    assert show(cache) == ()
