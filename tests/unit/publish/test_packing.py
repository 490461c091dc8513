"""Packing a plugin's folder: what goes in, what stays out, and what is refused."""

from __future__ import annotations

import fcntl
import json
import os

import pytest

from tests.support.plugins import NAME, make_plugin
from toolchain.cli.main import run
from toolchain.core.errors import UsageFault
from toolchain.core.reporter import SilentReporter
from toolchain.plugin import tree
from toolchain.publish import packing
from toolchain.publish.archive import read_archive
from toolchain.publish.packing import PackOrder, pack_plugin


@pytest.fixture
def plugin(tmp_path):
    return make_plugin(tmp_path)


def pack(plugin, **more):
    return pack_plugin(PackOrder(plugin.root, **more), SilentReporter())


def rules(outcome):
    return [finding.rule for finding in outcome.findings if finding.severity.value == "error"]


def test_the_archive_says_what_reading_it_says(plugin):
    packed = pack(plugin).packed
    assert packed.path == plugin.root / "dist" / f"{NAME}-1.0.0.tar.gz"
    assert read_archive(packed.path) == packed.reading
    assert packed.reading.top == NAME


def test_packing_twice_gives_the_same_bytes_and_the_first_archive_is_not_inside(plugin):
    first = pack(plugin).packed
    data = first.path.read_bytes()
    second = pack(plugin).packed
    assert second.path.read_bytes() == data
    assert all(not member.name.startswith("dist/") for member in second.reading.members)


def test_the_list_of_files_is_the_one_that_tests_and_images_use(plugin):
    plugin.write(".env", "TOKEN=1")
    plugin.write(".mixpeekignore", "*.bin\n")
    plugin.write("large.bin", "x")
    packed = pack(plugin).packed
    assert [member.name for member in packed.reading.members] == [
        f.name for f in tree.read_tree(plugin.root).files
    ]
    assert {".env", "large.bin"}.isdisjoint(member.name for member in packed.reading.members)


def test_a_zip(plugin):
    packed = pack(plugin, form="zip").packed
    assert packed.path.suffix == ".zip"
    assert read_archive(packed.path) == packed.reading


def test_a_private_key_in_any_file(plugin):
    plugin.write("notes.txt", "-----BEGIN OPENSSH PRIVATE " + "KEY-----\n" + "b3BlbnNzaC1rZXktdjEAAAAA" * 2 + "\n")
    outcome = pack(plugin)
    assert outcome.packed is None
    assert rules(outcome) == ["pack.private-key"]
    assert not (plugin.root / "dist").exists()


def test_the_api_key_in_use_and_that_it_is_not_shown(plugin):
    plugin.write("client.py", 'KEY = "sk_live_123"\n')
    outcome = pack(plugin, secret="sk_live_123")
    assert rules(outcome) == ["pack.api-key"]
    assert "sk_live_123" not in str(outcome) + repr(PackOrder(plugin.root, secret="sk_live_123"))


def test_a_plugin_at_fault_is_not_packed(plugin):
    plugin.remove("pipeline.py")
    plugin.replace("manifest.py", '"version": "1.0.0"', '"version": "v1"')
    assert rules(pack(plugin)) == ["schemas.version", "structure.missing-file"]


def test_links_are_not_packed(plugin):
    (plugin.root / "link").symlink_to("/etc/passwd")
    assert rules(pack(plugin)) == ["structure.link"]


def test_an_archive_over_the_limit_is_not_left_behind(plugin, monkeypatch):
    monkeypatch.setattr(packing, "SIZE_LIMIT", 100)
    outcome = pack(plugin)
    assert rules(outcome) == ["pack.too-large"]
    assert list((plugin.root / "dist").iterdir()) == []


def test_a_folder_that_cannot_be_written(plugin, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageFault, match="--output"):
        pack(plugin, output=tmp_path / "file" / "dist")


def test_the_command_refuses_the_api_key_in_use(plugin, capsys, monkeypatch):
    monkeypatch.setenv("MIXPEEK_API_KEY", "sk_live_123")
    plugin.write("note.txt", "sk_live_123\n")
    assert run(["plugin", "pack", "--path", str(plugin.root), "--json"]) == 1
    envelope = json.loads(capsys.readouterr().out)
    assert [finding["rule"] for finding in envelope["findings"]] == ["pack.api-key"]
    assert envelope["data"] == {"archive": None}


def test_what_a_killed_pack_left_is_removed_and_a_living_one_s_is_not(plugin):
    folder = plugin.root / "dist"
    folder.mkdir()
    stale, living, new, other = (
        folder / f".{name}-0.9.0.tar.gz.0123456{digit}"
        for name, digit in ((NAME, "a"), (NAME, "b"), (NAME, "c"), ("other", "d"))
    )
    for path in (stale, living, new, other):
        path.write_bytes(b"half")
        if path != new:
            os.utime(path, (0, 0))
    with living.open("rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        pack(plugin)
    assert [path.exists() for path in (stale, living, new, other)] == [False, True, True, True]


def test_a_file_in_the_place_of_the_folder_is_told_so(plugin, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageFault, match="File exists") as caught:
        pack(plugin, output=tmp_path / "file")
    assert "name a folder" in caught.value.remedy
    assert "space" not in caught.value.remedy
