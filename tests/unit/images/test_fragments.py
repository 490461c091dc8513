"""A wheel's piece is the same bytes whoever unpacks it, and a tar that means what the wheel meant."""

import hashlib
import io
import os
import tarfile
from dataclasses import replace

import pytest

from images import fragments as subject
from images.files import Cache
from images.fragments import Fragments
from images.wheel import Wheel, open_wheel
from toolchain.core.errors import DependencyFault, DownloadCorrupt
from toolchain.core.tarball import END

ROOT = "/opt/mixpeek/dependencies"


def unpack(cache, path, entry):
    fragments = Fragments(cache)
    if fragments.find(entry, ROOT) is None:
        fragments.make(path, entry, ROOT)
    return fragments.find(entry, ROOT)


def members(fragment):
    with tarfile.open(fileobj=io.BytesIO(fragment.tar.read_bytes() + END)) as archive:
        return {member.name: (member, archive.extractfile(member)) for member in archive}


def test_files_lie_under_the_root_with_plain_modes_and_owners(cache, make_wheel, locked):
    path = make_wheel({"demo/sub/mod.py": b"y = 2\n"})
    found = members(unpack(cache, path, locked(path)))
    member, content = found["opt/mixpeek/dependencies/demo/sub/mod.py"]
    assert content.read() == b"y = 2\n"
    assert (member.mode, member.uid, member.gid, member.mtime, member.uname) == (0o644, 0, 0, 0, "")
    assert found["opt/mixpeek/dependencies/demo/sub"][0].mode == 0o755
    assert "opt/mixpeek/dependencies" not in found


def test_the_same_wheel_gives_the_same_bytes_under_any_umask(tmp_path, make_wheel, locked):
    path = make_wheel({"demo/a.py": b"", "demo/b/c.py": b"1"})
    before = os.umask(0o077)
    try:
        one = unpack(Cache(tmp_path / "one"), path, locked(path)).tar.read_bytes()
    finally:
        os.umask(before)
    assert one == unpack(Cache(tmp_path / "two"), path, locked(path)).tar.read_bytes()


def test_sources_point_at_their_bytes_and_leave_tests_out(cache, make_wheel, locked):
    path = make_wheel(
        {"demo/mod.py": b"z = 3\n", "demo/tests/test_mod.py": b"1", "demo-1.0.data/scripts/run.py": b"2"}
    )
    fragment = unpack(cache, path, locked(path))
    sources = {source.path: source for source in fragment.sources}
    assert set(sources) == {f"opt/mixpeek/dependencies/demo/{name}.py" for name in ("__init__", "mod")}
    source = sources["opt/mixpeek/dependencies/demo/mod.py"]
    assert fragment.tar.read_bytes()[source.offset : source.offset + source.size] == b"z = 3\n"


def test_scripts_start_with_the_images_interpreter(cache, make_wheel, locked):
    path = make_wheel(
        {"demo-1.0.data/scripts/tool": b"#!python -I\nprint()\n", "demo-1.0.data/scripts/raw": b"\x7fELF"}
    )
    found = members(unpack(cache, path, locked(path)))
    assert found["opt/mixpeek/dependencies/bin/tool"][1].read() == b"#!/opt/mixpeek/python\nprint()\n"
    assert found["opt/mixpeek/dependencies/bin/raw"][1].read() == b"\x7fELF"


def test_a_damaged_wheel_is_removed_and_named(cache, make_wheel, locked):
    path = make_wheel()
    entry = locked(path)
    path.write_bytes(b"rotten")
    with pytest.raises(DownloadCorrupt, match="damaged"):
        unpack(cache, path, entry)
    assert not path.exists()
    assert not list(cache.root.rglob("*.tar"))


def test_the_second_time_the_wheel_is_not_needed(cache, make_wheel, locked):
    path = make_wheel()
    entry = locked(path)
    first = unpack(cache, path, entry)
    path.unlink()
    assert unpack(cache, path, entry) == first


def test_the_same_bytes_under_another_name_are_judged_anew(cache, make_wheel, locked):
    path = make_wheel()
    entry = locked(path)
    unpack(cache, path, entry)
    with pytest.raises(DependencyFault, match="speaks for another package"):
        unpack(cache, path, replace(entry, name="numpy", filename="numpy-1.0-py3-none-any.whl"))


def test_a_piece_that_lost_bytes_is_made_again(cache, make_wheel, locked):
    path = make_wheel()
    entry = locked(path)
    first = unpack(cache, path, entry)
    whole = first.tar.read_bytes()
    first.tar.write_bytes(b"")
    again = unpack(cache, path, entry)
    assert again == first
    assert again.tar.read_bytes() == whole


def test_the_digest_is_that_of_a_layer_with_the_piece_alone(cache, make_wheel, locked):
    path = make_wheel()
    fragment = unpack(cache, path, locked(path))
    layer = subject.opening(ROOT) + fragment.tar.read_bytes() + END
    assert fragment.diff_id == f"sha256:{hashlib.sha256(layer).hexdigest()}"
    assert fragment.size == fragment.tar.stat().st_size


def test_a_large_program_is_never_held_whole(cache, make_wheel, locked, monkeypatch):
    monkeypatch.setattr(subject, "_SCRIPT_LIMIT", 10)
    program = b"\x7fELF" + bytes(100)
    path = make_wheel({"demo-1.0.data/scripts/tool": program})
    with open_wheel(path, path.name) as wheel:
        tool = next(file for file in wheel.files if file.path == "bin/tool")
        monkeypatch.setattr(Wheel, "read", lambda *_: pytest.fail("it was read whole"))
        stream = io.BytesIO()
        digest = subject._Writer(stream, "opt")._put_file(wheel, replace(tool, sha256=None), "opt/bin/tool")
    assert program in stream.getvalue()
    assert digest == hashlib.sha256(program).hexdigest()
