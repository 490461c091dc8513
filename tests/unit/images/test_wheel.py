"""A wheel from a stranger: what is refused, and where the rest is put."""

import random
import stat
import zipfile
from contextlib import suppress

import pytest

from images import wheel as subject
from images.wheel import open_wheel
from toolchain.core.errors import DependencyFault


def entry(name, mode=0o644, kind=stat.S_IFREG):
    info = zipfile.ZipInfo(name)
    info.external_attr = (kind | mode) << 16
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


def paths(path):
    with open_wheel(path, path.name) as wheel:
        for file in wheel.files:
            wheel.read(file)
        return {file.path: file.executable for file in wheel.files}


def refuse(path, words):
    with pytest.raises(DependencyFault, match=words) as caught:
        paths(path)
    assert path.name in caught.value.message
    return caught.value


def test_a_plain_wheel_is_read(make_wheel):
    assert set(paths(make_wheel())) == {
        "demo/__init__.py",
        "demo-1.0.dist-info/METADATA",
        "demo-1.0.dist-info/RECORD",
    }


@pytest.mark.parametrize(
    "name",
    [
        "../evil.py",
        "demo/../../evil.py",
        "/etc/passwd",
        "demo//x.py",
        "./x.py",
        "demo\\x.py",
        "demo/\nx.py",
        "a" * 2000,
    ],
)
def test_a_name_that_goes_elsewhere_is_refused(make_wheel, name):
    refuse(make_wheel(entries=[(entry(name), b"x")]), "not a relative path|leaves the wheel")


@pytest.mark.parametrize("name", [".wh.numpy", "demo/.wh..wh..opq", ".wh.d/x.py"])
def test_a_name_by_which_a_layer_would_remove_files_is_refused(make_wheel, name):
    refuse(make_wheel(entries=[(entry(name), b"x")]), "would remove another file")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO, stat.S_IFDIR])
def test_what_is_no_file_is_refused(make_wheel, kind):
    refuse(make_wheel(entries=[(entry("demo/link", kind=kind), b"/etc/passwd")]), "link or a device")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_is_refused(make_wheel):
    refuse(make_wheel(entries=[(entry("demo/x.py"), b"1"), (entry("demo/x.py"), b"1")]), "twice")


def test_one_place_by_two_ways_is_refused(make_wheel):
    refuse(make_wheel({"demo/x.py": b"1", "demo-1.0.data/purelib/demo/x.py": b"2"}), "twice")


def test_a_file_where_a_folder_is_needed_is_refused(make_wheel):
    refuse(make_wheel({"demo/x": b"1", "demo/x/y.py": b"2"}), "a file and a folder")


def test_a_bomb_is_refused_before_it_is_unpacked(make_wheel):
    refuse(make_wheel({"demo/zeros": bytes(80 << 20)}), "zip bomb")


def test_too_much_is_refused(make_wheel, monkeypatch):
    monkeypatch.setattr(subject, "_SIZE_LIMIT", 5)
    refuse(make_wheel(), "unpacks to")


def test_a_file_longer_than_the_table_says_is_refused(make_wheel):
    path = make_wheel({"demo/big.bin": bytes(1000)}, compression=zipfile.ZIP_STORED)
    data = path.read_bytes()
    size = (1000).to_bytes(4, "little")
    assert data.count(size + size) == 2
    path.write_bytes(data.replace(size + size, size + (10).to_bytes(4, "little")))
    refuse(path, "damaged|another length")


def test_a_flipped_bit_is_refused(make_wheel):
    path = make_wheel({"demo/big.bin": bytes(1000)}, compression=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    data[data.index(bytes(1000)) + 5] = 1
    path.write_bytes(bytes(data))
    refuse(path, "damaged|differs")


def test_bytes_that_differ_from_record_are_refused(make_wheel):
    record = (
        "demo/__init__.py,sha256=" + "A" * 43 + ",6\ndemo-1.0.dist-info/METADATA,,\ndemo-1.0.dist-info/RECORD,,\n"
    )
    refuse(make_wheel(record=record), "differs from the digest")


def test_a_file_that_record_hides_is_refused(make_wheel):
    refuse(make_wheel(record="demo-1.0.dist-info/RECORD,,\n"), "not in its RECORD")


def test_a_wheel_without_record_is_refused(make_wheel):
    refuse(make_wheel(record=""), "RECORD files")


def test_a_digest_that_cannot_be_read_is_refused(make_wheel):
    refuse(make_wheel(record="demo/__init__.py,sha256=!,6\n"), "cannot be read|not in its RECORD")


@pytest.mark.parametrize(
    "module", ["engine/__init__.py", "shared.py", "sandbox/x.py", "demo-1.0.data/purelib/engine/x.py"]
)
def test_the_platforms_modules_cannot_be_brought(make_wheel, module):
    refuse(make_wheel({module: b""}), "belongs to the platform")


def test_what_is_no_zip_is_refused(tmp_path):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(b"not a zip")
    refuse(path, "not a zip archive")


def test_other_compressions_are_refused(make_wheel):
    refuse(make_wheel(compression=zipfile.ZIP_LZMA), "packed in a way")


def test_data_goes_where_installers_put_it(make_wheel):
    found = paths(
        make_wheel(
            {
                "demo-1.0.data/purelib/pure.py": b"",
                "demo-1.0.data/platlib/plat.py": b"",
                "demo-1.0.data/data/share/x.txt": b"",
                "demo-1.0.data/scripts/tool": b"#!python\n",
                "demo-1.0.data/headers/x.h": b"",
            }
        )
    )
    assert {"pure.py", "plat.py", "share/x.txt", "bin/tool"} <= set(found)
    assert found["bin/tool"]
    assert not any(path.endswith(".h") for path in found)


@pytest.mark.parametrize("scheme", ["", "demo-1.0.data/purelib/", "demo-1.0.data/platlib/", "demo-1.0.data/data/"])
@pytest.mark.parametrize("place", ["demo/__pycache__/m.cpython-311.pyc", "__pycache__/m.pyc", "demo/__pycache__"])
def test_bytecode_that_is_not_from_that_source_is_not_installed(make_wheel, scheme, place):
    assert not any("__pycache__" in path for path in paths(make_wheel({scheme + place: b"of another source"})))


@pytest.mark.parametrize("name", ["demo/m.pyc", "demo/__init__.pyc", "m.pyc"])
@pytest.mark.parametrize("scheme", ["", "demo-1.0.data/purelib/"])
def test_bytecode_in_the_place_of_a_source_is_left_out_by_name(make_wheel, scheme, name):
    with open_wheel(make_wheel({scheme + name: b"sourceless"}), "demo.whl") as wheel:
        assert wheel.left_out == [name]
        assert name not in {file.path for file in wheel.files}


def test_a_file_that_an_interpreter_runs_by_itself_is_left_out(make_wheel):
    lines = b"import os; os.system('touch /tmp/pwned')"
    names = {"demo.pth": lines, "demo-1.0.data/purelib/other.pth": lines, "demo/data.pth": b"weights"}
    with open_wheel(make_wheel(names), "demo.whl") as wheel:
        assert sorted(wheel.left_out) == ["demo.pth", "other.pth"]
        installed = {file.path for file in wheel.files}
    assert "demo/data.pth" in installed
    assert not installed & {"demo.pth", "other.pth"}


def test_the_executable_bit_is_kept(make_wheel):
    assert paths(make_wheel(entries=[(entry("demo/run", 0o755), b""), (entry("demo/set", 0o4755), b"")]))[
        "demo/run"
    ]


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("x" * 20_000, "RECORD is no table"),
        ("demo/__init__.py\rx,,\n", "RECORD is no table"),
        ("demo/__init__.py,\udcff,", "RECORD is not UTF-8"),
    ],
)
def test_a_record_that_is_no_table_is_refused(make_wheel, record, words):
    refuse(make_wheel(record=record.encode(errors="surrogateescape")), words)


def test_of_a_record_only_the_rows_of_files_that_are_there_count(make_wheel):
    rows = [
        '"demo/a,b ""c"".py",,',
        "demo/__init__.py,,",
        "demo/__init__.py,sha256=AAAA,",
        "demo/gone.py,sha256=!,",
    ]
    own = ["demo-1.0.dist-info/METADATA,md5=x,", "demo-1.0.dist-info/RECORD,sha256=!,", "alone", "", '"open']
    path = make_wheel({'demo/a,b "c".py': b"1"}, record="\r\n".join([*rows, *own]))
    assert 'demo/a,b "c".py' in paths(path)


@pytest.mark.parametrize(
    "damage", [("filename", ""), ("header_offset", -5), ("header_offset", 5000), ("header_offset", 1 << 62)]
)
def test_a_damaged_table_of_contents_is_refused(make_wheel, damage):
    path = make_wheel()
    with zipfile.ZipFile(path) as archive:
        setattr(archive.infolist()[0], *damage)
        with pytest.raises(DependencyFault, match="table of contents is damaged"):
            subject.Wheel(archive, path.name)


def test_any_few_bytes_changed_are_refused_or_harmless(make_wheel):
    path = make_wheel()
    data, chance = path.read_bytes(), random.Random(7)
    for _ in range(1000):
        changed = bytearray(data)
        for _ in range(chance.choice([1, 1, 3])):
            changed[chance.randrange(len(changed))] = chance.choice([0, 255, chance.randrange(256)])
        path.write_bytes(changed)
        with suppress(DependencyFault):
            paths(path)


@pytest.mark.parametrize(
    "folder", ["numpy-9.9.dist-info", "demo-1.0.data/purelib/numpy-9.9.dist-info", "numpy.egg-info"]
)
def test_a_description_of_another_package_is_refused(make_wheel, folder):
    refuse(make_wheel(files={f"{folder}/METADATA": b"Name: numpy"}), "speaks for another package")
