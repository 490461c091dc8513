"""A file system of another architecture, prepared from outside: what is read, changed and left alone."""

import json
import sys
from pathlib import Path

import pytest

from images.inside import link_dependencies, prepare

MINOR = "{}.{}".format(*sys.version_info[:2])
ELF = b"\x7fELF" + bytes(14) + (183).to_bytes(2, "little")
GLIBC = b"GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A distribution that was unpacked and never ran."""
    root = tmp_path / "image"
    files = {
        "usr/bin/python3.x": ELF + b"\0" + f"{MINOR}.7".encode() + b"\0 3.99.0\0",
        "usr/bin/pip3": b"#!",
        "usr/lib/x-linux-gnu/libc.so.6": GLIBC,
        "usr/lib/py/os.py": b"x = 1\n",
        "usr/lib/py/test/test_os.py": b"x = 1\n",
        "usr/lib/py/ensurepip/__init__.py": b"",
        "usr/lib/py/site-packages/pip/__init__.py": b"",
        "usr/lib/py/site-packages/kept.py": b"",
        "opt/mixpeek/runtime/engine/__init__.py": b"x = 2\n",
    }
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "etc").mkdir()
    (root / "usr/bin/su").write_bytes(b"")
    (root / "usr/bin/su").chmod(0o4755)
    places = {"stdlib": "/usr/lib/py", "purelib": "/usr/lib/py/site-packages"}
    monkeypatch.setattr(prepare.sysconfig, "get_path", places.__getitem__)
    monkeypatch.setattr(prepare.sys, "executable", "/usr/bin/python3.x")
    monkeypatch.setattr(prepare.subprocess, "run", lambda *_, **__: pytest.fail("something was executed"))
    return root


def test_it_becomes_a_base_without_anything_being_executed(root):
    prepare.interpreter(root)
    prepare.runtime(root)
    facts = json.loads((root / "opt/mixpeek/base.json").read_text())
    assert facts == {
        "python": f"{MINOR}.7",
        "implementation": "CPython",
        "machine": "aarch64",
        "glibc": "2.36",
        "executable": "/usr/bin/python3.x",
    }
    assert (root / "opt/mixpeek/python").readlink() == Path("/usr/bin/python3.x")
    assert "mixpeek:x:65532:65532" in (root / "etc/passwd").read_text()
    assert not (root / "usr/bin/pip3").exists()
    assert not (root / "usr/lib/py/ensurepip").exists()
    assert [path.name for path in (root / "usr/lib/py/site-packages").iterdir()] == ["kept.py"]
    assert (root / "usr/bin/su").stat().st_mode & 0o7777 == 0o755
    compiled = sorted(path.name.partition(".")[0] for path in root.rglob("*.pyc"))
    assert compiled == ["__init__", "os"]
    assert {path.name for path in (root / "opt/mixpeek").iterdir()} >= {"dependencies", "pytest", "plugin"}


def test_bytecode_names_the_place_in_the_image(root):
    prepare.runtime(root)
    (code,) = root.rglob("*.pyc")
    assert b"/opt/mixpeek/runtime/engine/__init__.py" in code.read_bytes()
    assert str(root).encode() not in code.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("usr/bin/python3.x", ELF, "has no Python"),
        ("usr/bin/python3.x", ELF + f"\0{MINOR}.7\0\0{MINOR}.8\0".encode(), "Python"),
        ("usr/lib/x-linux-gnu/libc.so.6", b"musl", "has no glibc"),
    ],
)
def test_what_cannot_be_read_from_its_files_is_not_guessed(root, name, content, words):
    (root / name).write_bytes(content)
    with pytest.raises(SystemExit, match=words):
        prepare.interpreter(root)


def test_a_distribution_of_another_kind_is_refused(root):
    (root / "usr/bin/python3.x").unlink()
    with pytest.raises(SystemExit, match="no program of the other architecture"):
        prepare.interpreter(root)


def test_the_link_to_the_dependencies_is_made_below_the_root(tmp_path, monkeypatch):
    monkeypatch.setattr(link_dependencies.site, "getsitepackages", lambda: ["/usr/local/lib/packages"])
    link_dependencies.main(tmp_path)
    assert (tmp_path / "usr/local/lib/packages").readlink() == Path("/opt/mixpeek/dependencies")
