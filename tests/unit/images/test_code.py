"""The code layer says what the files are, and notices when they are not."""

import io
import os
import tarfile
import time

import pytest

from images import code as subject
from images.build import usual_tag
from images.code import SourceFile, code_layer
from toolchain.core.errors import PluginFault
from toolchain.core.tarball import FileChanged, chunks


@pytest.fixture
def files(tmp_path):
    for name, data in (("b.py", b"2"), ("a.py", b"1"), ("sub/c.sh", b"#!/bin/sh\n")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return [SourceFile(name, tmp_path / name, name.endswith(".sh")) for name in ("b.py", "a.py", "sub/c.sh")]


def test_the_tar_holds_the_files_in_the_plugins_folder(files, cache):
    layer = code_layer("demo", files, cache)
    data = b"".join(chunks(layer.parts))
    assert len(data) == layer.size
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        found = {member.name: member for member in archive}
    assert [name for name in found if found[name].isfile()] == [
        f"opt/mixpeek/plugin/demo/{name}" for name in ("a.py", "b.py", "sub/c.sh")
    ]
    assert found["opt/mixpeek/plugin/demo/sub/c.sh"].mode == 0o755
    assert found["opt/mixpeek/plugin/demo/a.py"].mode == 0o644
    assert found["opt/mixpeek/plugin/demo/sub"].isdir()


def test_order_umask_and_times_do_not_matter(files, cache):
    before = code_layer("demo", files, cache).diff_id
    for file in files:
        os.utime(file.path, (1, 1))
        file.path.chmod(0o600)
    assert code_layer("demo", files[::-1], cache).diff_id == before
    files[0].path.write_bytes(b"3")
    assert code_layer("demo", files, cache).diff_id != before
    assert code_layer("other", files, cache).diff_id != before


@pytest.mark.parametrize("name", ["../x", "/x", "a/../b", "a//b", "", ".", "a\0b", "x" * 600])
def test_a_name_that_leaves_the_folder_is_refused(files, cache, name):
    with pytest.raises(PluginFault, match="leaves the plugin's folder"):
        code_layer("demo", [SourceFile(name, files[0].path)], cache)


@pytest.mark.parametrize("name", [".wh.manifest.py", "processors/.wh..wh..opq", ".wh.x/y.py"])
def test_a_name_by_which_a_layer_would_remove_files_is_refused(files, cache, name):
    with pytest.raises(PluginFault, match="would remove another file"):
        code_layer("demo", [SourceFile(name, files[0].path)], cache)


def test_links_and_missing_files_are_refused(files, cache, tmp_path):
    (tmp_path / "link").symlink_to(files[0].path)
    for path in (tmp_path / "link", tmp_path / "absent", tmp_path):
        with pytest.raises(PluginFault, match="cannot be read"):
            code_layer("demo", [SourceFile("x", path)], cache)


def test_a_change_between_naming_and_sending_is_noticed(files, cache):
    layer = code_layer("demo", files, cache)
    files[1].path.write_bytes(b"longer than before")
    with pytest.raises(FileChanged):
        list(chunks(layer.parts))


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr(subject, "_HASH_ALWAYS", 0)
    counted = []
    hashed = subject._hashed
    monkeypatch.setattr(subject, "_hashed", lambda parts: counted.append(1) or hashed(parts))
    return counted


def test_large_files_are_hashed_once(files, cache, large, monkeypatch):
    monkeypatch.setattr(subject, "_SETTLED_SECONDS", -1.0)
    assert code_layer("demo", files, cache) == code_layer("demo", files, cache)
    assert len(large) == 1


def test_a_changed_file_is_hashed_again_though_its_time_is_set_back(files, cache, large, monkeypatch):
    monkeypatch.setattr(subject, "_SETTLED_SECONDS", -1.0)
    before = files[0].path.stat()
    first = code_layer("demo", files, cache)
    time.sleep(0.02)
    files[0].path.write_bytes(b"9")
    os.utime(files[0].path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert code_layer("demo", files, cache).diff_id != first.diff_id
    assert len(large) == 2


def test_a_file_written_just_now_is_not_remembered(files, cache, large):
    code_layer("demo", files, cache)
    code_layer("demo", files, cache)
    assert len(large) == 2


def test_tags_are_legal_and_differ_where_names_differ():
    names = ["demo", "Demo", "demo_", "de__mo", "de___mo", "a-b", "a_-b", "A"]
    tags = [usual_tag(name) for name in names]
    assert len(set(tags)) == len(names)
    assert usual_tag("demo", with_tests=True) == "mixpeek/demo:cpu-tests"
    assert all(tag == tag.lower() for tag in tags)
