"""Whatever a stage leaves on disk goes, and nothing that it points to."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.guest.scratch import clear


def test_everything_goes(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden/inner").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    clear(tmp_path)
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
    clear(scratch)
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
    clear(scratch)
    assert list(scratch.iterdir()) == []


def test_names_that_are_in_the_way_do_not_help(tmp_path):
    for number in range(50):
        (tmp_path / f"{number}/{number}/{number}").mkdir(parents=True)
    clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_does_not_exist_is_clear(tmp_path):
    clear(tmp_path / "nowhere")
