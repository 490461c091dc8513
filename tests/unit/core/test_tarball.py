"""Our headers are what tar readers read, and never vary."""

import hashlib
import io
import tarfile

import pytest

from toolchain.core.tarball import (
    END,
    FileChanged,
    FilePart,
    chunks,
    directory_header,
    file_entry,
    file_header,
    header,
    padding,
    parents,
)

NAMES = ["a", "x" * 100, "y" * 101, "dir/" * 60 + "file", "näme/ü", "z" * 99 + "é"]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_any_length_and_script_come_back(name):
    data = directory_header("d") + file_entry(name, b"content", executable=True) + END
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        folder, file = archive
        assert (folder.name, folder.isdir(), folder.mode) == ("d", True, 0o755)
        assert (file.name, file.mode, file.size, file.mtime, file.uid) == (name, 0o755, 7, 0, 0)
        assert archive.extractfile(file).read() == b"content"


def test_links_and_owners_come_back():
    link = header("l", 0, b"2", 0o777, link="t" * 150, owner=65532, group=42)
    with tarfile.open(fileobj=io.BytesIO(link + END)) as archive:
        member = archive.next()
    assert (member.issym(), member.linkname, member.uid, member.gid) == (True, "t" * 150, 65532, 42)


def test_the_bytes_are_pinned():
    data = file_entry("opt/x.py", b"1") + file_entry("n" * 120, b"") + directory_header("é")
    assert hashlib.sha256(data).hexdigest() == "73689f1d7e3a9f44b05c19e9b3411044ab397fc1cf9a811b85c935265546533e"


def test_a_file_of_nine_gigabytes_is_refused():
    with pytest.raises(ValueError, match="8 GiB"):
        file_header("big", 9 << 30)


def test_padding_fills_whole_blocks():
    assert [len(padding(size)) for size in (0, 1, 511, 512, 513)] == [0, 511, 1, 0, 511]


def test_parents_are_outermost_first():
    assert parents("a/b/c") == ["a", "a/b"]
    assert parents("a") == []


@pytest.mark.parametrize("size", [0, 2, 4, 100])
def test_a_file_of_another_size_than_promised_is_noticed(tmp_path, size):
    path = tmp_path / "f"
    path.write_bytes(b"123")
    with pytest.raises(FileChanged):
        list(chunks([FilePart(path, size)]))


def test_a_file_that_became_a_link_is_not_followed(tmp_path):
    (tmp_path / "secret").write_bytes(b"123")
    (tmp_path / "f").symlink_to(tmp_path / "secret")
    with pytest.raises(FileChanged):
        list(chunks([FilePart(tmp_path / "f", 3)]))
