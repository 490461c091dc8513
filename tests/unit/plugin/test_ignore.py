"""What is left out of a plugin, and what an author may change about it."""

from __future__ import annotations

import pytest

from toolchain.core.errors import PluginFault
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


SECRETS = [".env", ".env.production", "sub/.netrc", ".npmrc", "id_ed25519", "keys/server.key", "a.p12",
           ".aws/config", ".ssh/known_hosts", "credentials.json"]  # fmt: skip


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_stay_out_whatever_the_author_writes(name, tmp_path):
    put(tmp_path, "kept.py", name)
    (tmp_path / ".mixpeekignore").write_text("!*\n!.aws/\n!.ssh/\n")
    assert names(tmp_path) == [".mixpeekignore", "kept.py"]


def test_an_example_of_an_environment_is_no_secret(tmp_path):
    put(tmp_path, ".env.example")
    assert names(tmp_path) == [".env.example"]


def test_the_author_leaves_out_and_takes_back(tmp_path):
    put(tmp_path, "a.py", "data/big.bin", "data/small.txt", "notes.md", "dist/kept.txt", "sub/dist/always.txt")
    assert "dist/kept.txt" not in names(tmp_path)
    (tmp_path / ".mixpeekignore").write_text("# large\ndata/*.bin\n*.md\n!dist/\n")
    found = [".mixpeekignore", "a.py", "data/small.txt", "dist/kept.txt", "sub/dist/always.txt"]
    assert names(tmp_path) == found


def test_a_virtual_environment_cannot_be_taken_back(tmp_path):
    put(tmp_path, "env/pyvenv.cfg", "env/lib/a.py", "a.py")
    (tmp_path / ".mixpeekignore").write_text("!env/\n")
    assert names(tmp_path) == [".mixpeekignore", "a.py"]


@pytest.mark.parametrize("text", [b"\xff\xfe", b"!"])
def test_a_pattern_without_meaning_is_named(text, tmp_path):
    (tmp_path / ".mixpeekignore").write_bytes(text)
    with pytest.raises(PluginFault, match="mixpeekignore"):
        read_tree(tmp_path)


def test_a_link_in_place_of_the_rules_is_refused(tmp_path):
    (tmp_path / "elsewhere").write_text("*.py\n")
    (tmp_path / ".mixpeekignore").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PluginFault):
        read_tree(tmp_path)


def test_names_that_differ_in_case_only(tmp_path):
    put(tmp_path, "core.py", "Core.py")
    assert rules(tmp_path) == ["structure.name-collision"]


def test_names_that_systems_compose_differently(tmp_path):
    put(tmp_path, "e\u0301.py")
    assert rules(tmp_path) == ["structure.file-name"]
    assert names(tmp_path) == []


def test_names_longer_than_an_archive_carries(tmp_path):
    put(tmp_path, "/".join(["d" * 60] * 5))
    assert rules(tmp_path) == ["structure.file-name"]


def test_a_backslash_in_a_name(tmp_path):
    put(tmp_path, "a\\b.py")
    assert rules(tmp_path) == ["structure.file-name"]
