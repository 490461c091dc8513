"""Where the cache lies, for every kind of environment."""

from pathlib import Path

import pytest

from images.environment import cache_directory, index_url
from images.faults import StoreUnavailable
from images.target import Target
from toolchain.core.errors import EngineRefused, ExitCode, SettingsFault


@pytest.mark.parametrize(
    ("own", "xdg", "expected"),
    [
        ("/own", "/xdg", "/own"),
        ("~/own", "/xdg", "/home/u/own"),
        ("", "/xdg", "/xdg/mixpeek"),
        ("", "", "/home/u/.cache/mixpeek"),
        ("", "relative", "/home/u/.cache/mixpeek"),
    ],
)
def test_the_first_that_counts_is_taken(monkeypatch, own, xdg, expected):
    monkeypatch.setenv("HOME", "/home/u")
    monkeypatch.setenv("MIXPEEK_CACHE_DIR", own)
    monkeypatch.setenv("XDG_CACHE_HOME", xdg)
    assert cache_directory() == Path(expected)


def test_a_user_without_a_home_is_told_what_to_set(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("MIXPEEK_CACHE_DIR", "~no-such-user/cache")
    with pytest.raises(StoreUnavailable) as caught:
        cache_directory()
    assert "MIXPEEK_CACHE_DIR" in caught.value.remedy


def test_an_engine_on_another_machine_is_said_so():
    with pytest.raises(EngineRefused, match="s390x") as caught:
        Target("3.11.2", "2.36", "s390x").ranks  # noqa: B018 - the property is the call
    assert "DOCKER_HOST" in caught.value.remedy


@pytest.mark.parametrize(
    "address", ["foo", "index.test/simple", "ftp://index.test/", "https://", "http://[::1", "/srv"]
)
def test_what_is_no_address_of_an_index_is_the_settings_fault(monkeypatch, address):
    monkeypatch.setenv("MIXPEEK_INDEX_URL", address)
    with pytest.raises(SettingsFault, match="MIXPEEK_INDEX_URL: not the address") as caught:
        index_url()
    assert caught.value.exit_code == ExitCode.USAGE
