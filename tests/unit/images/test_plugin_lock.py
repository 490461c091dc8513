"""A plugin's own lock is used as it is, or refused with the reason."""

from dataclasses import replace

import pytest

from images.plugin_lock import LockStale, read, render
from images.pylock import parse_pylock
from images.requirements import requirement_set
from toolchain.core.errors import DependencyFault

PYLOCK = (
    'lock-version = "1.0"\ncreated-by = "uv"\n\n[[packages]]\nname = "pkg"\nversion = "1.0"\n'
    'wheels = [{ url = "https://files.pythonhosted.org/pkg-1.0-py3-none-any.whl", hashes = { sha256 = "'
    + "ab" * 32
    + '" } }]\n'
)


@pytest.fixture
def wanted():
    return requirement_set(["pkg>=1", "other"], source="manifest.py")


@pytest.fixture
def text(target, wanted):
    return render(parse_pylock(PYLOCK, target), wanted)


def test_what_was_written_is_read(target, wanted, text):
    assert read(text, wanted, target, "pylock.cpu.toml").digest == parse_pylock(PYLOCK, target).digest
    assert text.startswith(PYLOCK)


def test_writing_again_changes_nothing(target, wanted, text):
    assert render(parse_pylock(text, target), wanted) == text


def test_order_and_spelling_of_requirements_do_not_matter(target, text):
    assert read(text, requirement_set(["Other", "pkg >= 1"], source="x"), target, "f")


def test_a_patch_release_of_python_does_not_matter(target, wanted, text):
    assert read(text, wanted, replace(target, python="3.11.9"), "f")


@pytest.mark.parametrize(
    ("change", "words"),
    [({"python": "3.12.1"}, "another python"), ({"architecture": "arm64"}, "another architecture")],
)
def test_another_platform_is_stale(target, wanted, text, change, words):
    with pytest.raises(LockStale, match=words):
        read(text, wanted, replace(target, **change), "pylock.cpu.toml")


def test_other_requirements_are_stale(target, text):
    with pytest.raises(LockStale, match="requirements have changed") as caught:
        read(text, requirement_set(["pkg>=2"], source="x"), target, "pylock.cpu.toml")
    assert caught.value.where == "pylock.cpu.toml"
    assert "--locked" in caught.value.remedy


@pytest.mark.parametrize("text", [None, "", "not toml", PYLOCK, "tool = 1\n", "[tool]\nmixpeek = 1\n"])
def test_no_lock_of_ours_is_stale(target, wanted, text):
    with pytest.raises(LockStale):
        read(text, wanted, target, "f")


def test_a_lock_that_leads_elsewhere_is_refused(target, wanted, text):
    with pytest.raises(LockStale, match="takes pkg from outside"):
        read(text.replace("files.pythonhosted.org", "evil.test"), wanted, target, "f")


def test_a_private_index_serves_its_own_files(target, wanted, text, monkeypatch):
    monkeypatch.setenv("MIXPEEK_INDEX_URL", "https://user:password@index.test/simple")
    with pytest.raises(LockStale, match="outside"):
        read(text, wanted, target, "f")
    assert read(text.replace("files.pythonhosted.org", "index.test"), wanted, target, "f")


def test_a_lock_that_was_edited_to_name_a_place_is_refused(target, wanted, text):
    with pytest.raises(DependencyFault):
        read(text.replace("https://files.pythonhosted.org/", "file:///tmp/"), wanted, target, "f")


def test_a_lock_nested_past_any_use_is_stale(target, wanted):
    with pytest.raises(LockStale, match="not valid TOML"):
        read(f"x = {'[' * 100_000}", wanted, target, "f")


def test_a_file_under_another_files_address_is_refused(target, wanted, text):
    renamed = text.replace("{ url", '{ name = "pkg-1.0-py3-none-any.whl", url')
    assert read(renamed, wanted, target, "f")
    with pytest.raises(LockStale, match="address of another file"):
        read(renamed.replace("org/pkg-1.0", "org/other-1.0"), wanted, target, "f")


def test_plain_http_is_refused_unless_the_users_own_index_speaks_it(target, wanted, text, monkeypatch):
    plain = text.replace("https://", "http://")
    with pytest.raises(LockStale, match="outside"):
        read(plain, wanted, target, "f")
    monkeypatch.setenv("MIXPEEK_INDEX_URL", "http://files.pythonhosted.org/simple")
    assert read(plain, wanted, target, "f")
