"""Reading files of a folder that a stranger filled."""

import os

import pytest

from tests.support.permissions import permissions_bind
from toolchain.core.errors import PluginFault, UsageFault
from toolchain.core.files import read_regular, write_whole


def test_a_plain_file(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b.txt").write_bytes(b"text")
    assert read_regular(tmp_path, "a/b.txt", limit=4) == b"text"


def test_no_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").touch()
    (tmp_path / "link").symlink_to("real/file")
    (tmp_path / "folder").symlink_to("real")
    for name in ("link", "folder/file"):
        with pytest.raises(PluginFault):
            read_regular(tmp_path, name, limit=1)


def test_a_pipe_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PluginFault, match="not a regular file"):
        read_regular(tmp_path, "pipe", limit=1)


def test_too_large(tmp_path):
    (tmp_path / "file").write_bytes(b"12345")
    with pytest.raises(PluginFault, match="at most"):
        read_regular(tmp_path, "file", limit=4)


def test_absent(tmp_path):
    with pytest.raises(PluginFault, match="cannot be read"):
        read_regular(tmp_path, "file", limit=4)


def test_a_folder_that_may_not_be_searched_takes_no_file(tmp_path):
    (tmp_path / "locked").mkdir(mode=0o600)
    with permissions_bind(), pytest.raises(UsageFault, match="cannot be written: Permission denied"):
        write_whole(tmp_path / "locked" / "report.txt", b"1")
