"""What we write is read back, is canonical, and depends on nothing but the files."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import time
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.packed import TOP, packed
from toolchain.core.errors import PluginFault
from toolchain.publish.archive import ArchiveFile, read_archive, unpack_archive, write_archive

NAMES = {
    "manifest.py": b"metadata = {}\n",
    "processors/core.py": b"x" * 1000,
    "processors/__init__.py": b"",
    "näme/日本.txt": "größe".encode(),
    "run.sh": b"#!/bin/sh\n",
    "l" * 120 + ".txt": b"long",
    "deep/" * 20 + "file": b"deep",
    "block.bin": bytes(512),
}


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "plugin"
    for name, data in NAMES.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "run.sh").chmod(0o755)
    return root


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
def test_what_is_written_comes_back(form, folder, tmp_path):
    archive = packed(folder, tmp_path / f"a.{form}", form)
    out = tmp_path / "out"
    reading = unpack_archive(archive, out)
    assert reading.canonical
    assert {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()} == NAMES
    assert [member.name for member in reading.members if member.executable] == ["run.sh"]
    assert os.access(out / "run.sh", os.X_OK)
    with (tmp_path / "again").open("w+b") as stream:
        files = [ArchiveFile(m.name, out / m.name, m.size, m.executable) for m in reading.members]
        assert write_archive(TOP, files, stream, form) == reading
    assert reading.archive_sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()


def test_writing_again_what_was_unpacked_gives_the_same_digests(folder, tmp_path):
    archive = packed(folder, tmp_path / "a.tar.gz")
    unpack_archive(archive, tmp_path / "out")
    again = packed(tmp_path / "out", tmp_path / "b.tar.gz")
    first, second = read_archive(archive), read_archive(again)
    assert (first.tar_sha256, first.files_sha256) == (second.tar_sha256, second.files_sha256)
    assert archive.read_bytes() == again.read_bytes()


def test_both_formats_bind_the_same_tar_and_files(folder, tmp_path):
    tar = read_archive(packed(folder, tmp_path / "a.tar.gz"))
    wrapped = read_archive(packed(folder, tmp_path / "a.zip", "zip"))
    assert tar.members == wrapped.members
    assert (tar.tar_sha256, tar.files_sha256) == (wrapped.tar_sha256, wrapped.files_sha256)


@pytest.mark.parametrize("form", ["tar.gz", "zip"])
def test_times_umask_zone_and_order_of_creation_leave_no_trace(form, folder, tmp_path, monkeypatch):
    first = packed(folder, tmp_path / "first", form).read_bytes()
    other = tmp_path / "elsewhere"
    before = os.umask(0o077)
    try:
        for name in reversed(NAMES):
            path = other / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(NAMES[name])
            os.utime(path, (1, 2_000_000_000))
        (other / "run.sh").chmod(0o711)
        monkeypatch.setenv("TZ", "Pacific/Kiritimati")
        time.tzset()
        second = packed(other, tmp_path / "second", form).read_bytes()
    finally:
        os.umask(before)
        monkeypatch.undo()
        time.tzset()
    assert first == second


def test_one_changed_byte_changes_the_digest(folder, tmp_path):
    before = read_archive(packed(folder, tmp_path / "a"))
    (folder / "manifest.py").write_bytes(b"metadata = []\n")
    after = read_archive(packed(folder, tmp_path / "b"))
    assert before.tar_sha256 != after.tar_sha256
    assert before.files_sha256 != after.files_sha256


def test_the_tar_holds_regular_files_of_nobody_and_no_time(folder, tmp_path):
    with tarfile.open(packed(folder, tmp_path / "a")) as archive:
        members = archive.getmembers()
    assert all(member.isreg() for member in members)
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "", "", 0)}
    assert {member.mode for member in members} == {0o644, 0o755}
    assert [member.name for member in members] == sorted(f"{TOP}/{name}" for name in NAMES)
    with zipfile.ZipFile(packed(folder, tmp_path / "b", "zip")) as wrapped:
        assert {info.date_time for info in wrapped.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_a_file_that_changes_meanwhile_is_named(tmp_path):
    file = tmp_path / "growing"
    file.write_bytes(b"12345")
    with pytest.raises(PluginFault, match="growing"):
        write_archive(TOP, [ArchiveFile("growing", file, 3)], io.BytesIO(), "tar.gz")


def test_progress_counts_to_the_end(folder, tmp_path):
    seen = []
    files = [ArchiveFile("block.bin", folder / "block.bin", 512)]
    write_archive(TOP, files, io.BytesIO(), "tar.gz", seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 512


PARTS = st.text("abcXYZ_09é日.-", min_size=1, max_size=12).filter(lambda part: part not in {".", ".."})
FILES = st.dictionaries(
    st.lists(PARTS, min_size=1, max_size=4).map("/".join), st.binary(max_size=2000), min_size=1, max_size=12
)


@settings(max_examples=60, deadline=None)
@given(files=FILES)
def test_any_acceptable_tree_goes_round(files, tmp_path_factory):
    folded = [name.casefold() for name in files]
    folders = {"/".join(name.split("/")[:end]) for name in folded for end in range(1, name.count("/") + 1)}
    cased = {"/".join(name.split("/")[:end]) for name in files for end in range(1, name.count("/") + 1)}
    if len(set(folded)) != len(folded) or folders & set(folded) or len(cased) != len(folders):
        return
    base = tmp_path_factory.mktemp("round")
    for name, data in files.items():
        path = base / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for form in ("tar.gz", "zip"):
        reading = unpack_archive(packed(base / "in", base / form, form), base / f"out-{form}")
        assert reading.canonical
        assert {member.name for member in reading.members} == set(files)
        for name, data in files.items():
            assert (base / f"out-{form}" / name).read_bytes() == data
