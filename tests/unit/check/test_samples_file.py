"""Which file of rows is used."""

from __future__ import annotations

import pytest

from toolchain.check import samples_file
from toolchain.check.samples_file import find_sample
from toolchain.core.errors import UsageFault


def test_none(tmp_path):
    assert find_sample(None, tmp_path) is None


def test_the_plugins_own(tmp_path):
    (tmp_path / "samples.csv").write_bytes(b"a\n1\n")
    sample = find_sample(None, tmp_path)
    assert (sample.name, sample.format, sample.data) == ("samples.csv", "csv", b"a\n1\n")


def test_the_one_that_is_given_wins(tmp_path):
    (tmp_path / "samples.json").write_text("[]")
    (tmp_path / "other.JSONL").write_text("{}")
    assert find_sample(tmp_path / "other.JSONL", tmp_path).format == "ndjson"


@pytest.mark.parametrize(
    ("name", "words"), [("nowhere.json", "does not exist"), ("rows.xlsx", "unsupported file type")]
)
def test_one_that_cannot_be_used(tmp_path, name, words):
    (tmp_path / "rows.xlsx").touch()
    with pytest.raises(UsageFault, match=words):
        find_sample(tmp_path / name, tmp_path)


def test_one_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(samples_file, "SIZE_LIMIT", 3)
    (tmp_path / "rows.json").write_text("[{}]")
    with pytest.raises(UsageFault, match="at most"):
        find_sample(tmp_path / "rows.json", tmp_path)
