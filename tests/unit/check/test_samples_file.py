"""Which file of rows is used."""

from __future__ import annotations

import pytest

from toolchain.check import samples_file
from toolchain.check.samples_file import SampleChoice, find_sample
from toolchain.core.errors import UsageFault
from toolchain.plugin.tree import read_tree


def find(folder, given=None, named=None):
    return find_sample(SampleChoice(given, named), read_tree(folder))


def test_none(tmp_path):
    assert find(tmp_path) == (None, ())


def test_the_plugins_own(tmp_path):
    (tmp_path / "samples.csv").write_bytes(b"a\n1\n")
    sample, against = find(tmp_path)
    assert (sample.name, sample.format, sample.data, against) == ("samples.csv", "csv", b"a\n1\n", ())


def test_the_one_that_is_given_wins(tmp_path):
    (tmp_path / "samples.json").write_text("[]")
    (tmp_path / "other.JSONL").write_text("{}")
    assert find(tmp_path, tmp_path / "other.JSONL", "samples.json")[0].format == "ndjson"


def test_the_one_that_the_plugin_names(tmp_path):
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows/real.json").write_text("[{}]")
    assert find(tmp_path, named="./rows/real.json")[0].name == "rows/real.json"


@pytest.mark.parametrize(
    "name", ["/etc/passwd.json", "../secret.json", "link.json", "node_modules/link.json", "folder"]
)
def test_a_plugin_cannot_name_a_file_of_the_host(tmp_path, name):
    plugin = tmp_path / "plugin"
    (plugin / "node_modules").mkdir(parents=True)
    (plugin / "folder").mkdir()
    (tmp_path / "secret.json").write_text("[{}]")
    for link in ("link.json", "node_modules/link.json"):
        (plugin / link).symlink_to(tmp_path / "secret.json")
    sample, against = find(plugin, named=name)
    assert sample is None
    assert [finding.rule for finding in against] == ["samples.not-own"]


def test_a_default_name_that_is_a_link_is_not_followed(tmp_path):
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    (tmp_path / "secret.json").write_text("[{}]")
    (plugin / "samples.json").symlink_to(tmp_path / "secret.json")
    assert find(plugin)[0] is None


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere.json", "does not exist"), ("rows.xlsx", "unsupported file type")]
)
def test_one_that_cannot_be_used(tmp_path, name, words):
    (tmp_path / "rows.xlsx").touch()
    with pytest.raises(UsageFault, match=words):
        find(tmp_path, tmp_path / name)


def test_one_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(samples_file, "SIZE_LIMIT", 3)
    (tmp_path / "rows.json").write_text("[{}]")
    with pytest.raises(UsageFault, match="at most"):
        find(tmp_path, tmp_path / "rows.json")


def test_the_plugins_own_that_is_too_large_is_the_plugins_fault(tmp_path, monkeypatch):
    monkeypatch.setattr(samples_file, "SIZE_LIMIT", 3)
    (tmp_path / "samples.json").write_text("[{}]")
    sample, against = find(tmp_path)
    assert (sample, [finding.rule for finding in against]) == (None, ["samples.unreadable"])
