"""Folders and archives as a stranger fills them: everything is read or is a problem, within limits."""

from __future__ import annotations

import gzip
import io
import os
import socket
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.archives import gzip_bomb, nested_zip, tar_of, tarred, zip_bomb, zipped
from tests.support.permissions import permissions_bind
from toolchain.core.errors import UsageFault
from toolchain.scan import Limits, plugins_in
from toolchain.scan.contents import Reading, read_contents
from toolchain.scan.contents.left_out import LeftOut

_SMALL = Limits(files=50, file_bytes=1 << 20, total_bytes=4 << 20, ratio_floor=1 << 20, depth=8)


def read(target: Path, limits: Limits = _SMALL) -> tuple[dict[str, bytes], set[str], Reading]:
    reading = Reading(limits)
    files = {entry.name: entry.data for entry in read_contents(target, reading)}
    return files, {problem.rule for problem in reading.problems}, reading


def archive(tmp_path: Path, data: bytes, name: str = "plugin.tar.gz") -> Path:
    file = tmp_path / name
    file.write_bytes(data)
    return file


class TestFolders:
    def test_a_file_that_vanishes_meanwhile_is_told(self, tmp_path: Path, monkeypatch) -> None:
        (tmp_path / "a.py").write_text("1")
        (tmp_path / "b.py").write_text("2")

        def leave_out(_self, _name, *, folder):
            (tmp_path / "b.py").unlink(missing_ok=True)
            return folder

        monkeypatch.setattr(LeftOut, "__call__", leave_out)
        files, problems, _ = read(tmp_path)
        assert (files, problems) == ({"a.py": b"1"}, {"file.unreadable"})

    def test_every_file_is_read_in_order(self, tmp_path: Path) -> None:
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "c.py").write_text("1")
        (tmp_path / "a.py").write_text("2")
        assert read(tmp_path)[0] == {"a.py": b"2", "b/c.py": b"1"}

    def test_links_pipes_and_sockets_are_problems_and_open_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to("/etc/passwd")
        (tmp_path / "loop").symlink_to(tmp_path)
        os.mkfifo(tmp_path / "pipe")
        with socket.socket(socket.AF_UNIX) as listener:
            here = Path.cwd()
            os.chdir(tmp_path)  # a socket's path is short
            try:
                listener.bind("socket")
            finally:
                os.chdir(here)
            files, rules, reading = read(tmp_path)
        assert files == {}
        assert rules == {"file.link", "file.special"}
        assert {p.file for p in reading.problems} == {"link", "loop", "pipe", "socket"}

    def test_a_deep_tree_ends_at_the_limit_and_hides_nothing_above(self, tmp_path: Path) -> None:
        folder = tmp_path
        for _ in range(30):
            folder /= "d"
            folder.mkdir()
        (tmp_path / "z.py").write_text("1")
        files, rules, _ = read(tmp_path)
        assert list(files) == ["z.py"]
        assert rules == {"limit.depth"}

    def test_more_files_than_the_limit_are_a_problem(self, tmp_path: Path) -> None:
        for number in range(60):
            (tmp_path / f"{number}.py").write_text("1")
        assert read(tmp_path)[1] == {"limit.total"}

    def test_more_problems_than_the_limit_are_one_more(self, tmp_path: Path) -> None:
        for folder in range(3):
            (tmp_path / str(folder)).mkdir()
            for number in range(30):
                (tmp_path / str(folder) / str(number)).symlink_to("nowhere")
        _, rules, reading = read(tmp_path)
        assert rules == {"file.link", "limit.total"}
        assert len(reading.problems) == 51

    def test_a_large_file_is_not_read(self, tmp_path: Path) -> None:
        with (tmp_path / "a.bin").open("wb") as file:
            file.truncate(64 << 30)
        (tmp_path / "b.py").write_text("1")
        files, rules, _ = read(tmp_path)
        assert (list(files), rules) == (["b.py"], {"limit.file"})

    def test_what_is_never_packed_is_named_and_not_read(self, tmp_path: Path) -> None:
        for name in (".git", ".venv", "node_modules"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "a.py").write_text("1")
        files, _, reading = read(tmp_path)
        assert (files, reading.left_out) == ({}, [".git", ".venv", "node_modules"])

    @pytest.mark.parametrize("packed_only", [False, True])
    def test_a_plugin_cannot_hide_a_file_by_its_own_ignore_file(self, tmp_path: Path, packed_only: bool) -> None:
        (tmp_path / ".mixpeekignore").write_text("evil.py\n!build/\n")
        (tmp_path / "build").mkdir()
        for name in ("evil.py", "build/more.py"):
            (tmp_path / name).write_text("1")
        reading = Reading(_SMALL, packed_only)
        names = {entry.name for entry in read_contents(tmp_path, reading)}
        assert names - {".mixpeekignore"} == {"build/more.py"} | (set() if packed_only else {"evil.py"})

    def test_bytecode_counts_unless_it_lies_beside_its_source(self, tmp_path: Path) -> None:
        cache = tmp_path / "__pycache__"
        cache.mkdir()
        (tmp_path / "a.py").write_text("1")
        (cache / "a.cpython-311.pyc").write_bytes(bytes(20))
        (cache / "lone.cpython-311.pyc").write_bytes(bytes(20))
        (tmp_path / "b.pyc").write_bytes(bytes(20))
        assert set(read(tmp_path)[0]) == {"a.py", "b.pyc", "__pycache__/lone.cpython-311.pyc"}

    def test_bytecode_that_runs_without_a_look_at_its_source_is_a_problem(self, tmp_path: Path) -> None:
        (tmp_path / "__pycache__").mkdir()
        (tmp_path / "a.py").write_text("1")
        flags = (1).to_bytes(4, "little")
        (tmp_path / "__pycache__" / "a.cpython-311.pyc").write_bytes(b"\xa7\x0d\x0d\x0a" + flags + bytes(8))
        assert read(tmp_path)[1] == {"file.bytecode"}

    def test_nothing_there_is_a_usage_fault(self, tmp_path: Path) -> None:
        with pytest.raises(UsageFault):
            read(tmp_path / "nowhere")
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(UsageFault):
            read(tmp_path / "pipe")

    def test_names_that_are_no_text_are_shown_and_told(self, tmp_path: Path) -> None:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.py")).write_text("1")
        (tmp_path / "a\u202eyp.py").write_text("1")
        files, rules, _ = read(tmp_path)
        assert rules == {"file.name"}
        assert all(name.isprintable() for name in files)


class TestArchives:
    @pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
    def test_a_tar_in_each_compression(self, tmp_path: Path, mode: str) -> None:
        file = archive(tmp_path, tarred(("p/a.py", b"1"), ("p/b.py", b"2"), mode=mode))
        assert read(file)[:2] == ({"p/a.py": b"1", "p/b.py": b"2"}, set())

    def test_archives_in_archives_are_files_of_the_tree(self, tmp_path: Path) -> None:
        inner = zipped({"core.py": b"1"})
        outer = tarred(("p/data.png", inner), ("p/more.gz", gzip.compress(b"import os")))
        files, rules, _ = read(archive(tmp_path, outer))
        assert {"p/data.png!/core.py", "p/more.gz!/more"} <= set(files)
        assert rules == set()

    def test_nesting_ends_at_the_limit(self, tmp_path: Path) -> None:
        assert read(archive(tmp_path, nested_zip(1000), "a.zip"))[1] == {"limit.nesting"}

    def test_two_members_of_one_name_are_both_read(self, tmp_path: Path) -> None:
        files, rules, _ = read(archive(tmp_path, tarred(("a.py", b"1"), ("a.py", b"2"))))
        assert sorted(files.values()) == [b"1", b"2"]
        assert rules == {"archive.duplicate"}

    @pytest.mark.parametrize("name", ["../a.py", "/etc/a.py", "a/../../b.py", "C:\\a.py"])
    def test_a_path_that_leads_out_is_told_and_its_content_read(self, tmp_path: Path, name: str) -> None:
        for data in (zipped({name: b"1"}), tarred((name, b"1"))):
            files, rules, _ = read(archive(tmp_path, data))
            assert (list(files.values()), rules) == ([b"1"], {"archive.member"})

    @pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
    def test_what_is_no_plain_file_is_a_problem(self, tmp_path: Path, kind: bytes) -> None:
        info = tarfile.TarInfo("p/a")
        info.type, info.linkname = kind, "/etc/passwd"
        assert read(archive(tmp_path, tar_of(info)))[1] == {"archive.member"}

    def test_a_sparse_member_makes_no_gigabytes_of_nothing(self, tmp_path: Path) -> None:
        info = tarfile.TarInfo("p/a")
        info.type = tarfile.GNUTYPE_SPARSE
        header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
        header[483:495] = b"00100000000\0"
        header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:512]))
        assert read(archive(tmp_path, bytes(header) + bytes(1024)))[1] == {"archive.member"}

    @pytest.mark.parametrize("make", [gzip_bomb, zip_bomb])
    def test_a_bomb_ends_at_the_limit(self, tmp_path: Path, make) -> None:
        assert read(archive(tmp_path, make(256 << 20)), replace(_SMALL, file_bytes=1 << 30))[1] == {
            "limit.archive"
        }

    def test_one_damaged_member_hides_no_other(self, tmp_path: Path) -> None:
        data = bytearray(zipped({"a.py": b"import os" * 40, "b.py": b"1"}))
        data[40] ^= 0xFF
        files, rules, _ = read(archive(tmp_path, bytes(data), "a.zip"))
        assert (list(files), rules) == (["b.py"], {"archive.member"})

    def test_an_encrypted_member_is_a_problem(self, tmp_path: Path) -> None:
        data = bytearray(zipped({"a.py": b"1"}))
        data[6] |= 1
        data[data.rindex(b"PK\x01\x02") + 8] |= 1
        assert read(archive(tmp_path, bytes(data), "a.zip"))[1] == {"archive.member"}

    def test_a_method_that_may_ask_for_any_memory_is_not_tried(self, tmp_path: Path) -> None:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_LZMA) as made:
            made.writestr("a.py", b"1")
        assert read(archive(tmp_path, out.getvalue(), "a.zip"))[1] == {"archive.member"}

    @pytest.mark.parametrize(
        "data",
        [
            tarred(("a.py", b"1"))[:-20],
            tarred(("a.py", b"1"), mode="w") + tarred(("hidden.py", b"1"), mode="w"),
            tarred(("a.py", b"1")) + b"more",
            b"PK\x03\x04" + bytes(100),
        ],
        ids=["cut short", "a second archive after the first", "a tail", "no directory"],
    )
    def test_what_cannot_be_read_to_its_end_is_a_problem(self, tmp_path: Path, data: bytes) -> None:
        assert read(archive(tmp_path, data))[1] == {"archive.broken"}

    def test_an_archive_before_the_archive_is_told(self, tmp_path: Path) -> None:
        whole = zipped({"shown.txt": b"1"})
        assert "archive.hidden" in read(archive(tmp_path, zipped({"a.py": b"2"}) + whole))[1]
        assert read(archive(tmp_path, whole))[1] == set()

    def test_a_zip_behind_an_image_is_opened(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40) + zipped({"__main__.py": b"1"}))
        assert read(tmp_path)[0]["a.png!/__main__.py"] == b"1"

    @pytest.mark.parametrize("mode", [0o000, 0o600])
    def test_a_folder_that_may_not_be_read_is_a_problem(self, mode: int, tmp_path: Path) -> None:
        (tmp_path / "locked").mkdir()
        (tmp_path / "locked" / "a.py").touch()
        (tmp_path / "locked").chmod(mode)
        with permissions_bind():
            assert plugins_in(tmp_path) == ()
            assert read(tmp_path)[1] == {"file.unreadable"}
