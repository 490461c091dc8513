"""Files of kept archives: which are remembered, and that no more are."""

from __future__ import annotations

import pytest

from registry.releases.contents import SMALL, Contents
from registry.settings import Limits
from registry.storage import FileStorage, KeptArchive, StorageFault
from tests.support.registries import packed
from toolchain.core.digests import sha256_bytes


@pytest.fixture
def storage(tmp_path):
    return FileStorage(tmp_path / "data", "http://127.0.0.1:1")


@pytest.fixture
def contents(storage, tmp_path):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    yield Contents(storage, Limits(), scratch)
    assert list(scratch.iterdir()) == []


@pytest.fixture
def keep(storage, tmp_path):
    def keep(name, **files):
        """An archive in the store, and the list of its files."""
        root = tmp_path / name
        root.mkdir()
        for file, data in files.items():
            (root / file).write_bytes(data)
        data = packed(root)
        (tmp_path / "archive").write_bytes(data)
        kept = KeptArchive(f"archives/{name}", sha256_bytes(data), len(data))
        storage.keep(kept.key, tmp_path / "archive")
        return kept, [[file, len(data), False, ""] for file, data in files.items()]

    return keep


def test_an_archive_is_fetched_once_for_all_its_small_files(contents, storage, keep):
    kept, files = keep("a", one=b"1", two=b"2", large=bytes(SMALL + 1))
    assert contents.file(kept, files, "one") == b"1"
    assert contents.file(kept, files, "large") == bytes(SMALL + 1)
    storage.remove(kept.key)
    assert contents.file(kept, files, "two") == b"2"
    with pytest.raises(StorageFault):
        contents.file(kept, files, "large")


def test_the_archives_that_were_asked_for_last_are_remembered(contents, storage, keep):
    archives = [keep(f"a{number}", one=b"%d" % number) for number in range(9)]
    for kept, files in archives:
        contents.file(kept, files, "one")
        storage.remove(kept.key)
    assert [contents.file(*archive, "one") for archive in archives[1:]] == [b"%d" % n for n in range(1, 9)]
    with pytest.raises(StorageFault):
        contents.file(*archives[0], "one")


def test_of_one_archive_only_so_much_is_remembered(contents, storage, keep):
    kept, files = keep("a", **{f"f{number:02}": b"%d" % (number % 10) * SMALL for number in range(20)})
    assert contents.file(kept, files, "f00") == b"0" * SMALL
    assert contents.file(kept, files, "f19") == b"9" * SMALL
    storage.remove(kept.key)
    assert contents.file(kept, files, "f15") == b"5" * SMALL
    with pytest.raises(StorageFault):
        contents.file(kept, files, "f16")


def test_what_is_kept_under_another_digest_is_refused(contents, storage, keep):
    kept, files = keep("a", one=b"1")
    with pytest.raises(StorageFault):
        contents.file(KeptArchive(kept.key, "0" * 64, kept.size), files, "one")
    assert contents.file(kept, files, "one") == b"1"
