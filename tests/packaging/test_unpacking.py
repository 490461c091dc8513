"""Wheels are unpacked by processes of their own: what those meet is told as if it had happened here."""

import hashlib
import os
import signal

import pytest

from images.faults import StoreUnavailable
from images.files import Cache
from images.pylock import LockedWheel
from images.unpacking import COUNT, Unpackers
from tests.support.wheels import wheel_bytes
from toolchain.core.errors import DependencyFault, DownloadCorrupt

ROOT = "/opt/mixpeek/dependencies"


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture
def write(tmp_path):
    """A wheel on disk, and how a lock names it."""

    def make(name="demo", files=None):
        data = wheel_bytes(name, files)
        path = tmp_path / f"{name}-1.0-py3-none-any.whl"
        path.write_bytes(data)
        return path, LockedWheel(name, "1.0", path.name, "", hashlib.sha256(data).hexdigest(), len(data))

    return make


def test_a_wheel_becomes_a_piece_and_is_found_the_next_time(cache, write):
    path, wheel = write()
    with Unpackers(cache) as unpackers:
        first = unpackers.unpack(path, wheel, ROOT)
        path.unlink()
        again = unpackers.unpack(path, wheel, ROOT)
    assert first == again
    assert (first.made, again.made) == (True, False)
    assert first.sources[0].path == "opt/mixpeek/dependencies/demo/__init__.py"


def test_a_refusal_is_told_and_the_next_wheel_is_read(cache, write):
    with Unpackers(cache) as unpackers:
        for number in range(COUNT + 1):
            path, wheel = write(f"bad{number}", {"engine/__init__.py": b""})
            with pytest.raises(DependencyFault, match="belongs to the platform") as caught:
                unpackers.unpack(path, wheel, ROOT)
            assert "choose another version" in caught.value.remedy
        assert unpackers.unpack(*write("good"), ROOT).made


def test_damage_is_told_with_its_place(cache, write):
    path, wheel = write()
    path.write_bytes(b"rotten")
    with Unpackers(cache) as unpackers, pytest.raises(DownloadCorrupt, match="damaged") as caught:
        unpackers.unpack(path, wheel, ROOT)
    assert caught.value.where == str(path)


def test_an_error_of_the_machine_is_not_the_wheels(cache, write):
    cache.root.mkdir()
    (cache.root / "locks").write_text("no folder")
    with Unpackers(cache) as unpackers, pytest.raises(StoreUnavailable, match="FileExistsError"):
        unpackers.unpack(*write(), ROOT)


def test_a_child_that_dies_is_a_refusal_and_is_replaced(cache, write):
    with Unpackers(cache) as unpackers:
        children = [unpackers._free.get() for _ in range(COUNT)]
        for child in children:
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            unpackers._free.put(child)
        for number in range(COUNT):
            with pytest.raises(DependencyFault, match="signal 9"):
                unpackers.unpack(*write(f"demo{number}"), ROOT)
        assert unpackers.unpack(*write("good"), ROOT).made


def test_a_wheel_that_takes_too_much_memory_is_refused(cache, write):
    names = {f"demo/{'x' * 200}{number}.py": b"" for number in range(40_000)}
    path, wheel = write("demo", names)
    with Unpackers(cache, memory=90 << 20) as unpackers, pytest.raises(DependencyFault, match="more than 90 MiB"):
        unpackers.unpack(path, wheel, ROOT)


def test_nothing_is_left_running(cache, write):
    with Unpackers(cache) as unpackers:
        unpackers.unpack(*write(), ROOT)
        children = [unpackers._free.get() for _ in range(COUNT)]
    assert all(child.returncode is not None for child in children)
