"""Whatever a stage leaves on disk goes, and nothing that it points to."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sandbox.guest.scratch import clear


def soon() -> float:
    """A deadline that nothing here comes near."""
    return time.monotonic() + 60


def test_everything_goes(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/inner").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    assert clear(tmp_path, soon())
    assert list(tmp_path.iterdir()) == []


def test_links_are_removed_and_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("x")
    scratch = tmp_path / "scratch"
    (scratch / "deeper").mkdir(parents=True)
    (scratch / "link").symlink_to(outside)
    (scratch / "deeper/link").symlink_to(outside)
    (scratch / "dangling").symlink_to("nowhere")
    assert clear(scratch, soon())
    assert list(scratch.iterdir()) == []
    assert (outside / "precious").exists()


def test_folders_deeper_than_any_path_go(tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.chdir(scratch)
    for _ in range(1500):
        Path("deeper").mkdir()
        os.chdir("deeper")
    os.chdir(tmp_path)
    assert clear(scratch, soon())
    assert list(scratch.iterdir()) == []


def test_names_that_are_in_the_way_do_not_help(tmp_path):
    for number in range(50):
        (tmp_path / f"{number}/{number}/{number}").mkdir(parents=True)
    assert clear(tmp_path, soon())
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_clear(tmp_path):
    assert clear(tmp_path / "nowhere", soon())


def test_what_takes_too_long_is_left_and_said(tmp_path):
    for number in range(300):
        (tmp_path / f"folder/{number}").mkdir(parents=True)
    assert not clear(tmp_path, time.monotonic() - 1)
    assert len(list((tmp_path / "folder").iterdir())) == 300
    assert clear(tmp_path, soon())


def test_the_time_is_kept_within_one_folder_too(tmp_path):
    """One look at the clock for each folder would not do: a single one holds as many files as there may be."""
    (tmp_path / "wide").mkdir()
    for number in range(20_000):
        (tmp_path / f"wide/{number}").touch()
    assert not clear(tmp_path, time.monotonic() + 0.01)
    assert any((tmp_path / "wide").iterdir())


def test_what_refuses_to_go_is_not_called_gone(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "unlink", os.rmdir)  # which a file refuses
    assert not clear(tmp_path, soon())
