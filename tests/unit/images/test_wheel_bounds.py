"""What a small wheel can cost the machine that reads it: bounded before it is paid."""

import tracemalloc
from contextlib import contextmanager

import pytest

from images import wheel as subject
from images.wheel import open_wheel
from toolchain.core.errors import DependencyFault


@contextmanager
def at_most(mebibytes):
    """Fails when Python's memory grows by more."""
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < mebibytes << 20, f"{peak >> 20} MiB were held"


def refuse(path, words):
    with pytest.raises(DependencyFault, match=words) as caught, open_wheel(path, path.name):
        pass
    assert path.name in caught.value.message


def test_a_name_of_too_many_folders_is_refused(make_wheel):
    refuse(make_wheel({"demo/" + "d/" * 32 + "x": b""}), "lies 33 folders deep, more than 32")
    with open_wheel(make_wheel({"demo/" + "d/" * 31 + "x": b""}), "demo.whl") as wheel:
        assert any(file.path.count("/") == 32 for file in wheel.files)


@pytest.mark.parametrize("scheme", ["", "demo-1.0.data/purelib/"])
def test_folders_count_once_each(make_wheel, monkeypatch, scheme):
    places = ["demo/a/b/x", "demo/a/b/y", "demo/a/c/x", "demo/a-b/x", "demo/a.py", "demo/b/a/x"]
    path = make_wheel({scheme + place: b"" for place in places})
    monkeypatch.setattr(subject, "_FOLDER_LIMIT", 8)  # demo, a, a/b, a/c, a-b, b, b/a, and the wheel's own
    with open_wheel(path, path.name) as wheel:
        assert {file.path for file in wheel.files} > set(places)
    monkeypatch.setattr(subject, "_FOLDER_LIMIT", 7)
    refuse(path, "more than 7 folders")


def test_folders_are_counted_before_their_names_are_made(make_wheel, monkeypatch):
    monkeypatch.setattr(subject, "_FOLDER_LIMIT", 100)
    folders = "/".join("d" * 30 for _ in range(31))
    path = make_wheel({f"demo{number}/{folders}/x": b"" for number in range(1000)})
    with at_most(8):
        refuse(path, "more than 100 folders")
