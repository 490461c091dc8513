"""``plugin scan`` and ``plugin diff`` as programs call them: the envelope, the forms, the cache."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.plugins import Plugin, make_plugin
from tests.support.verdicts import parse_envelope
from toolchain.cli import main as cli

_SARIF = Path(__file__).parents[2] / "data" / "sarif-schema-2.1.0.json"


@pytest.fixture(autouse=True)
def own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache and a key of the test's own."""
    monkeypatch.setenv("MIXPEEK_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MIXPEEK_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def plugin(tmp_path: Path) -> Plugin:
    return make_plugin(tmp_path)


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    capsys.readouterr()
    code = cli.run([*map(str, arguments)])
    return code, capsys.readouterr().out


def data(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    code, output = run(capsys, *arguments, "--json")
    verdict = parse_envelope(output)
    assert verdict.exit_code == code
    return dict(verdict.envelope["data"])


def test_a_pass_and_what_it_binds(plugin, capsys):
    told = data(capsys, "plugin", "scan", plugin.root)
    assert told["passed"] is True
    assert told["declared"]["name"] == "spoiled_plugin"
    assert {item["name"] for item in told["inventory"]} >= {"manifest.py", "samples.json"}
    assert all(len(told[key]) == 64 for key in ("content_sha256", "code_sha256"))


def test_a_forbidden_construct_is_a_finding_of_the_envelope(plugin, capsys):
    plugin.write("core.py", "eval('1')\n")
    code, output = run(capsys, "plugin", "scan", plugin.root, "--json")
    verdict = parse_envelope(output)
    assert code == 1
    assert verdict.scan_rules == {"scan.code.builtin"}
    (finding,) = verdict.envelope["data"]["findings"]
    assert (finding["class"], finding["file"], finding["line"], finding["column"]) == ("E", "core.py", 1, 1)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 0),
        (("--strict",), 1),
        (("--strict", "--fail-on", "never"), 0),
        (("--fail-on", "warned"), 1),
    ],
)
def test_where_the_line_is(plugin, capsys, options, code):
    plugin.write("core.py", "import torch\ntorch.load('x')\n")
    assert run(capsys, "plugin", "scan", plugin.root, *options)[0] == code


def test_each_form(plugin, capsys, tmp_path):
    assert (
        json.loads(run(capsys, "plugin", "scan", plugin.root, "--format", "json")[1])["schema"] == "mixpeek.scan/1"
    )
    document = json.loads(run(capsys, "plugin", "scan", plugin.root, "--format", "sarif")[1])
    jsonschema.Draft4Validator(json.loads(_SARIF.read_text())).validate(document)
    assert run(capsys, "plugin", "scan", plugin.root, "--format", "html")[1].startswith("<!doctype html>")
    report = tmp_path / "report.html"
    told = data(capsys, "plugin", "scan", plugin.root, "--format", "html", "--output", report)
    assert told["passed"] is True
    assert report.read_text().startswith("<!doctype html>")


def test_a_folder_of_plugins(tmp_path, capsys):
    make_plugin(tmp_path / "all", "one")
    make_plugin(tmp_path / "all", "two").write("core.py", "eval('1')\n")
    (tmp_path / "all" / "notes.txt").write_text("x")
    told = data(capsys, "plugin", "scan", tmp_path / "all")
    assert [(one["plugin"], one["passed"]) for one in told["plugins"]] == [("one", True), ("two", False)]
    assert (told["passed"], told["unscanned"]) == (False, ["notes.txt"])


def test_an_unchanged_plugin_is_answered_from_the_cache_and_a_changed_one_is_not(plugin, capsys):
    def cached(*options: str) -> bool:
        return bool(data(capsys, "plugin", "scan", plugin.root, *options)["stats"]["cached"])

    assert [cached(), cached(), cached("--no-cache"), cached("--strict")] == [False, True, False, False]
    plugin.write("core.py", "x = 1\n")
    assert not cached()


def test_a_poisoned_cache_gives_no_pass(plugin, capsys, tmp_path):
    plugin.write("core.py", "eval('1')\n")
    data(capsys, "plugin", "scan", plugin.root)
    (entry,) = (tmp_path / "cache" / "scan").iterdir()
    seal, _, payload = entry.read_bytes().partition(b"\n")
    entry.write_bytes(seal + b"\n" + json.dumps(json.loads(payload) | {"findings": []}).encode())
    assert data(capsys, "plugin", "scan", plugin.root)["passed"] is False


def test_an_unchanged_plugin_costs_none_of_the_scanner(plugin, capsys):
    data(capsys, "plugin", "scan", plugin.root)
    code = (
        "import sys\nfrom toolchain.cli.main import run\n"
        f"assert run(['plugin', 'scan', {str(plugin.root)!r}]) == 0\n"
        "heavy = {'toolchain.scan.evaluate', 'toolchain.scan.inspect', 'bandit', 'pygments', 'pathspec', "
        "'docker', 'pandas', 'toolchain.core.containers', 'concurrent.futures'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "unchanged" in done.stdout
    assert done.stderr == "[]\n"


def test_two_versions(plugin, capsys, tmp_path):
    newer = make_plugin(tmp_path / "newer")
    newer.write("core.py", "import socket\nsocket.socket()\n")
    newer.write("requirements.txt", "numpy>=2\n")
    told = data(capsys, "plugin", "diff", plugin.root, newer.root)
    assert told["dependencies"]["added"] == ["numpy>=2"]
    assert told["files"] == {"added": ["core.py", "requirements.txt"], "removed": [], "changed": []}
    assert {finding["class"] for finding in told["findings"]["added"]} == {"N"}
    assert run(capsys, "plugin", "diff", plugin.root, plugin.root) == (
        0,
        "spoiled_plugin 1.0.0 -> spoiled_plugin 1.0.0\n  no difference\n",
    )
