"""What a small wheel can cost the machine that reads it: bounded before it is paid."""

import struct
import tracemalloc
import zipfile
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


@pytest.mark.parametrize("line", ["\n", "a,b\n", '"\n",\n', "x"])
def test_a_record_of_lines_about_nothing_is_not_held(make_wheel, line):
    path = make_wheel(record=line * ((32 << 20) // len(line)))
    with at_most(4):
        refuse(path, "its RECORD is larger than 64 KiB, and it holds 3 files")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a,b\n", "its RECORD has more than 1008 lines for 2 files"),
        ('"\n",', "its RECORD has more than 1008 lines for 2 files"),
        ("x", "its RECORD is no table"),
        (",", "its RECORD is no table"),
    ],
)
def test_of_a_large_record_little_is_held(make_wheel, monkeypatch, line, words):
    monkeypatch.setattr(subject, "_RECORD_FREE", 64 << 20)
    path = make_wheel(record=line * ((16 << 20) // len(line)))
    with at_most(24):
        refuse(path, words)


def test_a_record_may_be_as_long_as_its_files_need(make_wheel):
    names = [f"demo/{number:0900}" for number in range(400)]
    path = make_wheel(dict.fromkeys(names, b""))
    with zipfile.ZipFile(path) as archive:
        assert archive.getinfo("demo-1.0.dist-info/RECORD").file_size > 300 << 10
    with open_wheel(path, path.name) as wheel:
        assert len(wheel.files) == 403


def table_of(count, name=b"x", extra=b""):
    """An archive that is nothing but a table of ``count`` entries, and an end record that claims one."""
    entry = struct.pack("<4s6H3I3H2H2I", b"PK\x01\x02", *[0] * 9, len(name), len(extra), *[0] * 5) + name + extra
    table = entry * count
    return table + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(table), 0, 0)


@pytest.mark.parametrize("name", [b"x", b"x/"])
def test_entries_are_counted_before_objects_are_made_of_them(tmp_path, name):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(table_of(400_000, name))
    with at_most(32):
        refuse(path, "it holds more than 100000 files")


def test_a_table_too_large_to_hold_is_not_read(tmp_path):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(table_of(600, extra=bytes(60_000)))
    with at_most(4):
        refuse(path, "its table of contents has 36028200 bytes, more than 33554432")


def test_what_an_end_record_claims_is_not_believed(tmp_path, make_wheel):
    path = make_wheel()
    data = path.read_bytes()
    path.write_bytes(data[:-10] + struct.pack("<I", 0xFFFFFFFE) + data[-6:])
    refuse(path, "more than 33554432|not a zip archive")


def test_a_wheel_of_many_files_has_another_end_record_and_is_read(make_wheel, monkeypatch):
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 2)
    path = make_wheel()
    assert b"PK\x06\x06" in path.read_bytes()
    with open_wheel(path, path.name) as wheel:
        assert len(wheel.files) == 3
    monkeypatch.setattr(subject, "_COUNT_LIMIT", 2)
    refuse(path, "it holds more than 2 files")
    monkeypatch.setattr(subject, "_TABLE_LIMIT", 100)
    refuse(path, "its table of contents has")
