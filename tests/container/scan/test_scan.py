"""The scan as a whole, with its worker processes (no container engine is needed, but unit tests cannot spawn)."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import zipfile
from pathlib import Path

import pytest

from toolchain.core.sealed import SealedPlace
from toolchain.scan import Limits, Scanned, ScanOptions, scan
from toolchain.scan.sarif import to_sarif

_PLAIN = ScanOptions(use_bandit=False)


def _rules(target: Path, options: ScanOptions = _PLAIN) -> set[str]:
    return {finding.rule for finding in scan(target, options).findings}


def _write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        folder.joinpath(f"{name}.py").write_text(text)
    return folder


def test_an_honest_plugin_passes(tmp_path: Path) -> None:
    result = scan(_write(tmp_path, pipeline="import re\nre.compile('x')\n"), _PLAIN)
    assert result.passed
    assert result.findings == ()


def test_names_are_followed_across_files(tmp_path: Path) -> None:
    _write(tmp_path, helper="import os as hidden\nNAME = 'sys'\n")
    _write(tmp_path, pipeline="from .helper import hidden, NAME\ngetattr(hidden, NAME + 'tem')('id')\n")
    found = scan(tmp_path, _PLAIN).findings
    assert [(f.file, f.line, f.name) for f in found] == [("pipeline.py", 2, "os.system")]
    assert "import os" in found[0].trail[0]


def test_the_strict_list_forbids_more(tmp_path: Path) -> None:
    _write(tmp_path, pipeline="open('x')\n")
    assert scan(tmp_path, _PLAIN).passed
    assert not scan(tmp_path, ScanOptions(strict=True, use_bandit=False)).passed


@pytest.mark.parametrize("text", ["def f(:\n", "x = " + "(" * 5_000, "\0"])
def test_a_file_that_cannot_be_parsed_is_a_finding_and_hides_no_other(tmp_path: Path, text: str) -> None:
    _write(tmp_path, a=text, b="eval('1')\n")
    result = scan(tmp_path, _PLAIN)
    assert {f.file for f in result.findings} == {"a.py", "b.py"}


def test_a_file_of_endless_work_ends_with_a_finding(tmp_path: Path) -> None:
    body = "".join(f"def f{n}(x): return f{n + 1}(x) + f{n + 1}(x + 'a')\n" for n in range(40))
    _write(tmp_path, a=f"{body}def f40(x): return x\ngetattr(f0, f0('a'))\n", b="eval('1')\n")
    assert "b.py" in {
        f.file for f in scan(tmp_path, ScanOptions(use_bandit=False, limits=Limits(file_seconds=5))).findings
    }


def test_links_and_pipes_are_findings(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "pipe")
    assert {"file.link", "file.special"} <= _rules(tmp_path)


def test_an_archive_is_read_in_memory(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("core.py", "import subprocess\n")
    with tarfile.open(tmp_path / "plugin.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("plugin/extra.zip")
        member.size = len(inner.getvalue())
        archive.addfile(member, io.BytesIO(inner.getvalue()))
    found = scan(tmp_path / "plugin.tar.gz", _PLAIN).findings
    assert [f.file for f in found] == ["plugin/extra.zip!/core.py"]


def test_a_pickle_is_judged_by_its_imports(tmp_path: Path) -> None:
    (tmp_path / "good.pkl").write_bytes(pickle.dumps({"a": [1, 2.0, "x"]}))
    (tmp_path / "bad.pkl").write_bytes(pickle.dumps(os.system))
    assert {f.file for f in scan(tmp_path, _PLAIN).findings} == {"bad.pkl"}


def test_a_result_is_cached_by_content(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    plugin.mkdir()
    _write(plugin, a="eval('1')\n")
    options = ScanOptions(use_bandit=False, cache=SealedPlace(tmp_path / "cache", tmp_path / "key"))
    first, second = scan(plugin, options), scan(plugin, options)
    assert (first.stats["cached"], second.stats["cached"]) == (False, True)
    assert first.findings == second.findings


def test_sarif_carries_class_and_place(tmp_path: Path) -> None:
    _write(tmp_path, a="\neval('1')\n")
    run = json.loads(json.dumps(to_sarif([Scanned("plugin", scan(tmp_path, _PLAIN))])))["runs"][0]
    assert run["results"][0]["properties"]["class"] == "E"
    assert run["results"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 2
    assert run["tool"]["driver"]["rules"][run["results"][0]["ruleIndex"]]["id"] == run["results"][0]["ruleId"]


def test_many_small_files_do_not_buy_less_care(tmp_path: Path) -> None:
    _write(tmp_path, **{f"filler{number}": f"x{number} = {number}\n" for number in range(400)})
    _write(tmp_path, a="def frame(g): return g.gi_frame.f_back.f_globals\n")
    assert _rules(tmp_path) == {"introspection.builtins"}  # not asked of a large tree


def test_a_large_tree_says_that_it_was_read_with_less_care(tmp_path: Path) -> None:
    _write(tmp_path, a="x = 1\n", data=f"TEXT = {'a' * 1_500_000!r}\n", b="eval('1')\n")
    found = {finding.rule: finding for finding in scan(tmp_path, _PLAIN).findings}
    large = found["tree.large"]
    assert (large.level, large.power, large.file) == ("warned", "U", "")
    assert "3 sources, 1.5 MB" in large.message
    assert "2 of them" in large.message
    assert found["code.builtin"].file == "b.py"
