"""bandit as half of the scan: what its own program finds, without its ways of looking away."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from toolchain.core.errors import InternalFault
from toolchain.scan import Limits, ScanOptions, scan
from toolchain.scan.bandit import TESTS, BanditFailure, BanditHit, bandit_hits

_CORPUS = Path(__file__).parents[2] / "corpus"
_STRICT = ScanOptions(strict=True)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, bytes]]:
    """Our corpus and a part of the standard library, as files."""
    folder = tmp_path_factory.mktemp("sources")
    blocks = [block for name in ("bad.txt", "good.txt") for block in (_CORPUS / name).read_text().split("## ")[1:]]
    sources = {f"{number}.py": block.partition("\n")[2].encode() for number, block in enumerate(blocks)}
    library = Path(json.__file__).parents[1]
    for name in (
        "pty",
        "pdb",
        "pickle",
        "shelve",
        "subprocess",
        "webbrowser",
        "timeit",
        "mailcap",
        "logging/config",
    ):
        path = library / f"{name}.py"
        if path.is_file():  # some leave the standard library with time
            sources[f"library_{path.stem}.py"] = path.read_bytes()
    for name, data in sources.items():
        (folder / name).write_bytes(data)
    return folder, sources


def test_it_finds_what_its_own_program_finds(sources: tuple[Path, dict[str, bytes]]) -> None:
    folder, files = sources
    argv = [sys.executable, "-m", "bandit", "-q", "-r", ".", "--ignore-nosec", "-t", ",".join(TESTS), "-f", "json"]
    told = json.loads(subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False).stdout)
    assert told["errors"] == []
    theirs = {(Path(i["filename"]).name, i["line_number"], i["col_offset"], i["test_id"]) for i in told["results"]}
    hits = [hit for hit in bandit_hits(files, Limits()) if isinstance(hit, BanditHit)]
    assert {(hit.file, hit.line, hit.column, hit.test) for hit in hits} == theirs
    assert len(theirs) > 50


def test_it_ignores_what_the_plugin_says_to_it(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import subprocess  # nosec\nsubprocess.run('x', shell=True)  # nosec B602\n")
    (tmp_path / ".bandit").write_text("[bandit]\nskips = B404,B602\nexclude = a.py\n")
    (tmp_path / "pyproject.toml").write_text('[tool.bandit]\nskips = ["B404", "B602"]\nexclude_dirs = ["."]\n')
    found = scan(tmp_path).findings
    assert {(f.line, "bandit" in f.tools) for f in found} == {(1, True), (2, True)}


def test_a_file_that_it_cannot_judge_is_a_failure() -> None:
    files = {"a.py": b"eval(\n", "b.py": b"eval('1')", "c.py": b"eval('1')\0", "d.py": b"eval(" + b"(" * 5000}
    said = list(bandit_hits(files, Limits(file_seconds=10)))
    assert {one.file for one in said if isinstance(one, BanditFailure)} == {"a.py", "c.py", "d.py"}
    assert {one.file for one in said if isinstance(one, BanditHit)} == {"b.py"}


def test_one_construct_is_one_finding_with_both_sources(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import os\nos.system('x')\neval('1')\nimport pickle\npickle.loads(b'')\n")
    found = scan(tmp_path, _STRICT).findings
    places = [(f.line, f.power, f.column) for f in found]
    assert len(places) == len(set(places))
    assert {f.line for f in found if f.tools == ("mixpeek", "bandit")} == {2, 3, 5}


def test_a_scan_without_it_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolchain.scan.scanner.find_spec", lambda _name: None)
    (tmp_path / "a.py").write_text("x = 1\n")
    with pytest.raises(InternalFault, match="bandit"):
        scan(tmp_path)
