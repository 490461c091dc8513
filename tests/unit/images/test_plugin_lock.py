"""A plugin's own lock is used as it is, or refused with the reason."""

from dataclasses import replace

import pytest

from images.plugin_lock import LockStale, read, render
from images.pylock import parse_pylock
from images.requirements import requirement_set
from toolchain.core.digests import sha256_bytes
from toolchain.core.errors import DependencyFault

PLATFORM = {"numpy": "2.0", "pandas": "2.2.1", "pyarrow": "17.0", "pydantic": "2.7"}


def pylock(packages):
    return 'lock-version = "1.0"\ncreated-by = "uv"\n' + "".join(
        f'\n[[packages]]\nname = "{name}"\nversion = "{version}"\nwheels = [{{ url = '
        f'"https://files.pythonhosted.org/{name}-{version}-py3-none-any.whl", '
        f'hashes = {{ sha256 = "{sha256_bytes(name.encode())}" }} }}]\n'
        for name, version in packages.items()
    )


PYLOCK = pylock({"pkg": "1.0", "other": "3.0", **PLATFORM})


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
        read(text.replace("files.pythonhosted.org/pkg", "evil.test/pkg"), wanted, target, "f")


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
    renamed = text.replace("{ url", '{ name = "pkg-1.0-py3-none-any.whl", url', 1)
    assert read(renamed, wanted, target, "f")
    with pytest.raises(LockStale, match="address of another file"):
        read(renamed.replace("org/pkg-1.0", "org/other-1.0"), wanted, target, "f")


def test_plain_http_is_refused_unless_the_users_own_index_speaks_it(target, wanted, text, monkeypatch):
    plain = text.replace("https://", "http://")
    with pytest.raises(LockStale, match="outside"):
        read(plain, wanted, target, "f")
    monkeypatch.setenv("MIXPEEK_INDEX_URL", "http://files.pythonhosted.org/simple")
    assert read(plain, wanted, target, "f")


@pytest.mark.parametrize(
    ("packages", "unanswered"),
    [
        ({"pkg": "0.9", "other": "3.0", **PLATFORM}, "pkg>=1"),
        ({"pkg": "1.0", **PLATFORM}, "other"),
        ({"pkg": "1.0", "other": "3.0", **PLATFORM, "numpy": "1.0"}, "numpy>=1.26"),
        ({"pkg": "1.0rc1", "other": "3.0", **PLATFORM}, "pkg>=1"),
    ],
)
def test_a_lock_that_claims_to_answer_what_it_does_not_is_refused(target, wanted, packages, unanswered):
    text = render(parse_pylock(pylock(packages), target), wanted)
    with pytest.raises(LockStale, match=f"no version that '{unanswered}' allows"):
        read(text, wanted, target, "f")


def test_a_requirement_for_another_platform_needs_no_answer(target):
    wanted = requirement_set(["pkg>=1", "other; sys_platform == 'win32'"], source="x")
    assert read(render(parse_pylock(pylock({"pkg": "1.0", **PLATFORM}), target), wanted), wanted, target, "f")


def test_another_port_of_the_index_is_another_place(target, wanted, text, monkeypatch):
    monkeypatch.setenv("MIXPEEK_INDEX_URL", "https://index.test:8443/simple")
    assert read(text.replace("files.pythonhosted.org", "index.test:8443"), wanted, target, "f")
    for port in ("", ":9000"):
        with pytest.raises(LockStale, match="outside"):
            read(text.replace("files.pythonhosted.org", f"index.test{port}"), wanted, target, "f")
