"""Wheels share folders and files; a layer holds each path once, and pieces stay whole where none is shared."""

import io
import tarfile

import pytest

from images.image_config import layer_of
from images.overlaps import joined
from toolchain.core.errors import DownloadCorrupt
from toolchain.core.tarball import END, FileChanged, FilePart, chunks, directory_header, file_entry, file_part


@pytest.fixture
def tar(tmp_path):
    """Write a piece: names that end in a slash are folders, the others hold the piece's number."""
    counter = iter(range(100))

    def write(*names):
        number = next(counter)
        path = tmp_path / f"{number}.tar"
        data = str(number).encode()
        path.write_bytes(
            b"".join(
                directory_header(name.rstrip("/")) if name.endswith("/") else file_entry(name, data)
                for name in names
            )
        )
        return path

    return write


def contents(parts):
    """Every entry of the joined tar in its order; tarfile would show duplicates as they are."""
    with tarfile.open(fileobj=io.BytesIO(b"".join(chunks([*parts, END])))) as archive:
        return [
            (member.name, None if member.isdir() else archive.extractfile(member).read().decode())
            for member in archive
        ]


def test_without_overlaps_the_pieces_are_taken_whole(tar):
    pieces = [tar("a/", "a/x"), tar("b/", "b/y")]
    assert joined(pieces) == tuple(file_part(path) for path in pieces)


def test_a_shared_folder_is_there_once_and_before_its_files(tar):
    parts = joined([tar("n/", "n/a/", "n/a/x"), tar("n/", "n/b/", "n/b/y"), tar("n/", "n/c/", "n/c/z")])
    assert contents(parts) == [
        ("n", None),
        ("n/a", None),
        ("n/a/x", "0"),
        ("n/b", None),
        ("n/b/y", "1"),
        ("n/c", None),
        ("n/c/z", "2"),
    ]


def test_of_a_shared_file_the_last_stays(tar):
    parts = joined([tar("n/", "n/__init__.py", "n/a"), tar("n/", "n/__init__.py", "n/b")])
    assert contents(parts) == [("n", None), ("n/a", "0"), ("n/__init__.py", "1"), ("n/b", "1")]


def test_a_name_too_long_for_the_old_header_is_left_out_with_its_record(tar):
    long = "n/" + "x" * 150
    parts = joined([tar("n/", long, "n/a"), tar(long)])
    assert contents(parts) == [("n", None), ("n/a", "0"), (long, "1")]


def test_a_piece_of_which_nothing_stays_and_an_empty_one_are_no_parts(tar, tmp_path):
    empty = tmp_path / "empty.tar"
    empty.touch()
    parts = joined([tar("n/", "n/a"), empty, tar("n/"), tar("n/a")])
    assert contents(parts) == [("n", None), ("n/a", "2")]
    assert len(parts) == 2


def test_equal_pieces_give_equal_layers(tar):
    pieces = [tar("n/", "n/a"), tar("n/", "n/b")]
    assert layer_of("x", (*joined(pieces), END)).diff_id == layer_of("x", (*joined(pieces), END)).diff_id


def test_a_part_of_a_file_that_became_shorter_is_a_change(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert b"".join(chunks([FilePart(path, 4, 3, partial=True)])) == b"3456"
    path.write_bytes(b"01234")
    with pytest.raises(FileChanged):
        list(chunks([FilePart(path, 4, 3, partial=True)]))


@pytest.mark.parametrize("damage", ["garbled", "gone"])
def test_a_damaged_piece_goes_and_is_named(tar, damage):
    whole, path = tar("a"), tar("b")
    path.write_bytes(b"garbled" * 200)
    if damage == "gone":
        path.unlink()
    with pytest.raises(DownloadCorrupt, match="gone or damaged"):
        joined([whole, path])
    assert not path.exists()
