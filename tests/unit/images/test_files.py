"""What the cache promises: whole files or none, one writer, and nothing left of the dead."""

import errno
import fcntl
import os
import threading

import pytest

from images.faults import StoreUnavailable, disk_faults


def names(cache):
    return sorted(str(path.relative_to(cache.root)) for path in cache.root.rglob("*") if path.is_file())


def test_a_file_appears_whole(cache):
    with cache.replacing(cache.root / "a" / "b") as stream:
        stream.write(b"half")
        assert not (cache.root / "a" / "b").exists()
    assert names(cache) == ["a/b"]


def test_a_failure_leaves_the_former_file_and_nothing_else(cache):
    cache.write(cache.root / "a", b"old")

    def fail():
        with cache.replacing(cache.root / "a") as stream:
            stream.write(b"new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (cache.root / "a").read_bytes() == b"old"
    assert names(cache) == ["a"]


def test_a_full_disk_is_said_so(cache):
    def write_on_full_disk():
        with cache.temporary("x"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(StoreUnavailable, match="no space left") as caught:
        write_on_full_disk()
    assert "cache prune" in caught.value.remedy
    assert names(cache) == []


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_closed_disk_is_said_so(tmp_path, number):
    with pytest.raises(StoreUnavailable), disk_faults(tmp_path):
        raise OSError(number, "x")


def test_other_errors_keep_their_nature(tmp_path):
    with pytest.raises(BrokenPipeError), disk_faults(tmp_path):
        raise BrokenPipeError(errno.EPIPE, "x")


def test_the_sweep_takes_what_a_dead_writer_left_and_no_more(cache):
    dead = cache.folder("tmp") / "dead"
    dead.write_bytes(b"half")
    os.utime(dead, (1, 1))
    with cache.temporary("alive") as (path, _):
        os.utime(path, (1, 1))
        assert cache.sweep() == 1
        assert path.exists()
    assert cache.sweep() == 0


def test_a_lock_is_held_by_one(cache):
    order = []

    def second():
        with cache.lock("x"):
            order.append("second")

    with cache.lock("x"):
        assert cache.is_locked("x")
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.1)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert cache.is_locked("x") is False
    assert cache.is_locked("never") is None


def test_a_lock_file_held_by_another_process_counts(cache):
    cache.folder("locks")
    with (cache.root / "locks" / "x.lock").open("ab") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert cache.is_locked("x")


def test_the_sweep_spares_a_file_whose_writer_has_no_lock_yet(cache):
    opened = cache.folder("tmp") / "opened"
    opened.touch()
    assert cache.sweep() == 0
    assert opened.exists()
