"""Trees made to exhaust whoever reads them: each ends within its limits, with a finding, hiding nothing else.

The whole program runs as a process of its own, and the kernel says what it took.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import gzip_bomb, nested_zip, zip_bomb

_SECONDS = 120  # far above what it takes, far below for ever
_MEMORY = 1536 << 20  # bytes of the largest process
_EVIL = "import subprocess\n"

# Every process of a scan has this much memory and no more (in KiB): what needs more is killed, and the test fails.
_BOUNDED = ["sh", "-c", f'ulimit -d {_MEMORY >> 10}; exec "$@"', "sh"]


def scanned(target: Path, *options: str) -> dict[str, Any]:
    """The JSON data of a scan that kept its bounds."""
    argv = [
        *_BOUNDED,
        sys.executable,
        "-m",
        "toolchain.cli.main",
        "plugin",
        "scan",
        "--json",
        "--no-cache",
        *options,
        str(target),
    ]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        output, talk = process.communicate(timeout=_SECONDS)
    assert process.returncode == 1, talk.decode()
    return dict(json.loads(output)["data"])


def rules(data: dict[str, Any]) -> set[str]:
    return {finding["rule"] for finding in data["findings"]}


@pytest.mark.parametrize(("make", "name"), [(gzip_bomb, "a.tar.gz"), (zip_bomb, "a.zip")])
def test_an_archive_that_unpacks_to_ten_gigabytes(tmp_path: Path, make, name: str) -> None:
    (tmp_path / name).write_bytes(make(10 << 30))
    (tmp_path / "z.py").write_text(_EVIL)
    assert {"limit.archive", "process.subprocess"} <= rules(scanned(tmp_path))


def test_archives_nested_a_thousand_deep(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(nested_zip(1000))
    assert rules(scanned(tmp_path)) == {"limit.nesting"}


def test_folders_nested_a_thousand_deep(tmp_path: Path) -> None:
    here = Path.cwd()
    (tmp_path / "z.py").write_text(_EVIL)
    os.chdir(tmp_path)
    try:
        for _ in range(1000):
            Path("deep").mkdir()
            os.chdir("deep")
        Path("evil.py").write_text(_EVIL)
        os.chdir(here)
        assert rules(scanned(tmp_path)) == {"limit.depth", "process.subprocess"}
    finally:
        os.chdir(here)
        # pytest's own clearing away follows folders by recursion.
        subprocess.run(["rm", "-rf", str(tmp_path / "deep")], check=True)


def test_a_hundred_thousand_files(tmp_path: Path) -> None:
    for folder in range(100):
        (tmp_path / str(folder)).mkdir()
        for number in range(1000):
            (tmp_path / str(folder) / f"{number}.txt").touch()
    (tmp_path / "0.py").write_text(_EVIL)
    assert {"limit.total", "process.subprocess"} <= rules(scanned(tmp_path))


@pytest.mark.parametrize("content", ["x" * (50 << 20), "x = '" + "y" * (50 << 20) + "'", "(" * (50 << 20)])
def test_a_line_of_fifty_megabytes(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.py").write_text(content)
    (tmp_path / "z.py").write_text(_EVIL)
    assert rules(scanned(tmp_path)) == {"limit.file", "process.subprocess"}


def test_sources_of_every_depth_and_kind_of_damage(tmp_path: Path) -> None:
    sources = {
        "brackets": b"(" * 100_000,
        "lambdas": b"lambda: " * 50_000 + b"1",
        "unary": b"-" * 1_000_000 + b"1",
        "nested": b"".join(b" " * depth + b"if 1:\n" for depth in range(99)) + b" " * 99 + b"pass\n" * 2,
        "nul": b"x = 1\0",
        "encoding": b"# coding: nothing-such\n",
        "latin": "x = '\xe9'\n".encode("latin-1"),
        "attributes": b"a" + b".b" * 200_000,
        "sums": b"x = " + b"1 + " * 200_000 + b"1\n",
        "huge": b"x = 10 ** 10 ** 10 ** 10\ny = 'a' * 10 ** 12\nz = [0] * 10 ** 11\n",
    }
    for name, data in sources.items():
        (tmp_path / f"{name}.py").write_bytes(data)
    (tmp_path / "z.py").write_text(_EVIL)
    found = scanned(tmp_path)["findings"]
    told = {finding["file"] for finding in found}
    assert {"brackets.py", "nul.py", "encoding.py", "latin.py", "z.py"} <= told
    assert [f["rule"] for f in found if f["file"] == "z.py"] == ["process.subprocess"]


def test_loops_pipes_and_devices(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to("self")
    os.mkfifo(tmp_path / "pipe.py")
    try:
        os.mknod(tmp_path / "zero.py", stat.S_IFCHR | 0o600, os.makedev(1, 5))
    except PermissionError:  # only root makes devices; for a scan they are what pipes are
        os.mkfifo(tmp_path / "zero.py")
    (tmp_path / "z.py").write_text(_EVIL)
    found = scanned(tmp_path)["findings"]
    assert {(f["file"], f["rule"]) for f in found} == {
        ("loop", "file.link"),
        ("self", "file.link"),
        ("pipe.py", "file.special"),
        ("zero.py", "file.special"),
        ("z.py", "process.subprocess"),
    }
