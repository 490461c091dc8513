"""The cache gives a verdict only where this user's own scan left one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.results import finding
from toolchain.core.sealed import SealedPlace
from toolchain.scan.cache import Verdict, cached, remember
from toolchain.scan.model import Declared

_KEY, _OTHER = "1" * 64, "2" * 64
_VERDICT = Verdict((finding(),), 1, Declared("a", "1", ("numpy",), ()))


@pytest.fixture
def place(tmp_path: Path) -> SealedPlace:
    return SealedPlace(tmp_path / "cache" / "scan", tmp_path / "state" / "scan.key")


def test_what_was_kept_comes_back(place: SealedPlace) -> None:
    remember(place, _KEY, _VERDICT)
    assert cached(place, _KEY) == _VERDICT
    assert cached(place, _OTHER) is None
    assert place.key.stat().st_mode & 0o777 == 0o600


def poison(place: SealedPlace) -> Path:
    """An entry without findings, in the right place and form, sealed with nothing or with another key."""
    file = place.folder / f"{_KEY}.json"
    seal, _, payload = file.read_bytes().partition(b"\n")
    file.write_bytes(seal + b"\n" + json.dumps(json.loads(payload) | {"findings": []}).encode())
    return file


def test_a_changed_entry_gives_no_verdict(place: SealedPlace) -> None:
    remember(place, _KEY, _VERDICT)
    poison(place)
    assert cached(place, _KEY) is None


def test_an_entry_of_another_content_gives_no_verdict(place: SealedPlace) -> None:
    remember(place, _OTHER, Verdict((), 1, Declared()))
    remember(place, _KEY, _VERDICT)
    (place.folder / f"{_OTHER}.json").rename(place.folder / f"{_KEY}.json")
    assert cached(place, _KEY) is None


def test_a_cache_from_elsewhere_gives_no_verdict(place: SealedPlace, tmp_path: Path) -> None:
    elsewhere = SealedPlace(place.folder, tmp_path / "elsewhere.key")
    remember(elsewhere, _KEY, Verdict((), 1, Declared()))
    remember(place, _OTHER, _VERDICT)
    assert cached(elsewhere, _KEY) is not None
    assert cached(place, _KEY) is None


@pytest.mark.parametrize("damage", ["readable", "short", "link", "gone"])
def test_a_key_that_is_not_ours_alone_gives_no_verdict(place: SealedPlace, tmp_path: Path, damage: str) -> None:
    remember(place, _KEY, _VERDICT)
    if damage == "readable":
        place.key.chmod(0o644)
    elif damage == "short":
        place.key.write_bytes(b"x")
    else:
        place.key.rename(tmp_path / "moved.key")
    if damage == "link":
        place.key.symlink_to(tmp_path / "moved.key")
    assert cached(place, _KEY) is None


@pytest.mark.parametrize("content", [b"", b"{}", b"\n[]", b"\xff\n{}", b"a" * 64 + b"\n" + b"[" * 100_000])
def test_a_damaged_entry_gives_no_verdict(place: SealedPlace, content: bytes) -> None:
    remember(place, _KEY, _VERDICT)
    (place.folder / f"{_KEY}.json").write_bytes(content)
    assert cached(place, _KEY) is None


def test_what_may_turn_out_otherwise_is_not_kept(place: SealedPlace) -> None:
    for rule in ("limit.work", "archive.broken", "file.unreadable", "bandit.failed"):
        remember(place, _KEY, Verdict((finding(rule=rule),), 1, Declared()))
        assert cached(place, _KEY) is None
