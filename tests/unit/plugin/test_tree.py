"""Which files belong to a plugin."""

from __future__ import annotations

import os

import pytest

from tests.support.permissions import permissions_bind
from toolchain.core.errors import PluginFault, UsageFault
from toolchain.plugin import tree as module
from toolchain.plugin.tree import read_tree


def put(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def names(root):
    return [file.name for file in read_tree(root).files]


def rules(root):
    return [finding.rule for finding in read_tree(root).findings]


def test_files_are_sorted_and_named_with_slashes(tmp_path):
    put(tmp_path, "b.py", "a/z.txt", "a/b/c.bin", ".hidden")
    assert names(tmp_path) == [".hidden", "a/b/c.bin", "a/z.txt", "b.py"]


@pytest.mark.parametrize(
    "name",
    [
        ".git/config",
        "deep/__pycache__/a.pyc",
        "a.pyc",
        ".venv/bin/python",
        "venv/bin/python",
        ".env",
        ".netrc",
        ".pypirc",
        "sub/.env",
        ".DS_Store",
        ".pytest_cache/v",
        "node_modules/a.js",
        "x.egg-info/PKG-INFO",
        ".file.swp",
    ],
)
def test_what_never_belongs(tmp_path, name):
    put(tmp_path, "kept.py", name)
    assert names(tmp_path) == ["kept.py"]


def test_an_environment_by_any_name(tmp_path):
    put(tmp_path, "kept.py", "my-env/pyvenv.cfg", "my-env/lib/a.py")
    assert names(tmp_path) == ["kept.py"]


def test_the_executable_bit_and_the_size(tmp_path):
    put(tmp_path, "run.sh", "data")
    (tmp_path / "run.sh").chmod(0o755)
    assert [(file.executable, file.size) for file in read_tree(tmp_path).files] == [(False, 1), (True, 1)]


@pytest.mark.parametrize("target", ["/etc/passwd", "kept.py", "nowhere", ".", "/"])
def test_a_link_is_a_finding_and_never_followed(tmp_path, target):
    put(tmp_path, "kept.py")
    (tmp_path / "link").symlink_to(target)
    assert names(tmp_path) == ["kept.py"]
    assert rules(tmp_path) == ["structure.link"]


def test_a_pipe_is_a_finding_and_never_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert rules(tmp_path) == ["structure.special-file"]


@pytest.mark.parametrize("name", [b"caf\xe9", b"a\nb", b"\x1b[2J", "\u202ecod.exe".encode(), b"tab\t"])
def test_a_name_that_is_no_text(tmp_path, name):
    (tmp_path / os.fsdecode(name)).touch()
    (finding,) = read_tree(tmp_path).findings
    assert finding.rule == "structure.file-name"
    assert finding.file.isascii()
    assert finding.file.isprintable()


@pytest.mark.parametrize("name", ["Größe.txt", "日本.txt", "with space.txt", "[a]{b}.txt", "-rf"])
def test_a_name_that_is_unusual_and_text(tmp_path, name):
    put(tmp_path, name)
    assert names(tmp_path) == [name]


def test_too_many_files(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "FILE_LIMIT", 2)
    put(tmp_path, "a", "b", "c")
    assert rules(tmp_path) == ["structure.too-many-files"]


def test_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SIZE_LIMIT", 2)
    put(tmp_path, "a", "b", "c")
    assert rules(tmp_path) == ["structure.too-large"]


def test_no_folder(tmp_path):
    put(tmp_path, "file")
    for name, words in (("file", "is a file"), ("nowhere", "does not exist")):
        with pytest.raises(UsageFault, match=words):
            read_tree(tmp_path / name)


def test_a_path_that_is_no_text_can_be_told(tmp_path):
    with pytest.raises(UsageFault) as fault:
        read_tree(tmp_path / os.fsdecode(b"caf\xe9"))
    fault.value.where.encode()


def test_a_file_that_vanishes_is_the_plugins_fault(tmp_path):
    put(tmp_path, "a.py")
    tree = read_tree(tmp_path)
    (tmp_path / "a.py").unlink()
    with pytest.raises(PluginFault, match="cannot be read"):
        tree.read("a.py")


def test_a_file_that_vanishes_while_the_folder_is_listed_is_not_there(tmp_path, monkeypatch):
    put(tmp_path, "a.py", "b.py")
    asked = module.IgnoreRules.ignores_file

    def ask(rules, name):
        (tmp_path / "a.py").unlink(missing_ok=True)
        return asked(rules, name)

    monkeypatch.setattr(module.IgnoreRules, "ignores_file", ask)
    assert names(tmp_path) == ["b.py"]


@pytest.mark.parametrize("mode", [0o000, 0o600])
def test_a_folder_that_may_not_be_read_is_named(mode, tmp_path):
    (tmp_path / "locked").mkdir()
    (tmp_path / "locked" / "a.py").touch()
    (tmp_path / "locked").chmod(mode)
    with permissions_bind(), pytest.raises(PluginFault, match=r"locked.*: the plugin cannot be read here"):
        read_tree(tmp_path)


@pytest.mark.parametrize(
    "name", ["CON.txt", "sub/aux", "a:b.txt", "what?.txt", "dot.", "space /a.py", "com1.tar.gz"]
)
def test_a_name_that_windows_cannot_have_is_refused(name, tmp_path):
    put(tmp_path, name)
    (finding,) = read_tree(tmp_path).findings
    assert (finding.rule, finding.file) == ("structure.file-name", name)


@pytest.mark.parametrize("name", ["console.py", "con_.py", "acon", ".hidden", "a b.txt", "com.py", "nul-1.txt"])
def test_names_near_those_are_taken(name, tmp_path):
    put(tmp_path, name)
    assert read_tree(tmp_path).findings == ()
