"""What the files alone show to be wrong is told without an engine, and without running a line of the plugin."""

from __future__ import annotations

import os

import pytest

from tests.support.plugins import Plugin, make_plugin
from tests.support.verdicts import parse_envelope, plugin_test
from toolchain.cli import main as cli


@pytest.fixture(params=[(), ("--sandbox",)], ids=["here", "sandbox"])
def options(request, monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    return request.param


@pytest.fixture(autouse=True)
def runs_nothing(tmp_path):
    """Every plugin here would leave a mark if it were run."""
    plugin = Plugin(tmp_path / "spoiled_plugin")
    mark = tmp_path / "was-run"
    yield
    assert not mark.exists()
    assert not plugin.root.is_dir() or not any("__pycache__" in name for name in plugin.files())


@pytest.fixture
def marking(plugin, tmp_path):
    for name in ("manifest.py", "pipeline.py", "tests/test_it.py"):
        plugin.write(name, (plugin.root / name).read_text() + f"\nopen({str(tmp_path / 'was-run')!r}, 'w')\n")
    return plugin


def test_no_folder(tmp_path, capsys, options):
    verdict = plugin_test(capsys, tmp_path / "nowhere", *options)
    assert (verdict.exit_code, verdict.error["id"]) == (2, "usage")
    assert verdict.error["where"] == str(tmp_path / "nowhere")
    assert "does not exist" in verdict.error["message"]
    assert "--path" in verdict.error["remedy"]


def test_a_file_for_a_folder(tmp_path, capsys, options):
    (tmp_path / "file").write_text("")
    verdict = plugin_test(capsys, tmp_path / "file", *options)
    assert (verdict.exit_code, verdict.error["id"]) == (2, "usage")
    assert "is a file" in verdict.error["message"]


def test_missing_files_are_told_together(marking, capsys, options):
    for name in ("manifest.py", "pipeline.py", "__init__.py"):
        marking.remove(name)
    verdict = plugin_test(capsys, marking, *options)
    missing = [f for f in verdict.envelope["findings"] if f["rule"] == "structure.missing-file"]
    assert [finding["file"] for finding in missing] == ["__init__.py", "manifest.py", "pipeline.py"]
    assert all(finding["remedy"] for finding in missing)
    assert verdict.exit_code == 1


def test_a_syntax_error_in_the_manifest(marking, capsys, options):
    marking.replace("manifest.py", "metadata = {", "metadata = {{")
    verdict = plugin_test(capsys, marking, *options)
    finding = verdict.finding("structure.syntax")
    assert finding["file"] == "manifest.py"
    assert finding["line"] is not None
    assert verdict.exit_code == 1


@pytest.mark.parametrize(
    "source",
    [b"name = '\xff'\n", b"# coding: no-such-coding\n", b"x = '\0'\n", b"x = " + b"-" * 300_000 + b"1\n"],
    ids=["not UTF-8", "unknown coding", "a null byte", "too deep"],
)
def test_a_manifest_that_is_no_python(marking, capsys, options, source):
    marking.write("manifest.py", source)
    verdict = plugin_test(capsys, marking, *options)
    assert verdict.finding("structure.syntax")["file"] == "manifest.py"
    assert verdict.exit_code == 1


@pytest.mark.parametrize("name", [b"caf\xe9.txt", b"new\nline.txt", b"\x1b[2J.txt", "\u202egpj.txt".encode()])
def test_a_file_name_that_is_no_text(marking, capsys, options, name):
    (marking.root / os.fsdecode(name)).touch()
    verdict = plugin_test(capsys, marking, *options)
    assert verdict.finding("structure.file-name")["file"].isascii()
    assert verdict.exit_code == 1


def test_a_link(marking, capsys, options):
    (marking.root / "weights.bin").symlink_to("/etc/passwd")
    finding = plugin_test(capsys, marking, *options).finding("structure.link")
    assert finding["file"] == "weights.bin"


def test_requirements_that_would_run_code(marking, capsys, options):
    marking.write("requirements.txt", "-e ./evil\n--no-binary :all:\n")
    verdict = plugin_test(capsys, marking, *options)
    assert verdict.exit_code == 1
    assert all(f["file"] == "requirements.txt" for f in verdict.envelope["findings"] if f["severity"] == "error")


def test_a_sample_file_that_does_not_exist(marking, capsys, options):
    verdict = plugin_test(capsys, marking, "--sample-data", "nowhere.json", *options)
    assert (verdict.exit_code, verdict.error["id"]) == (2, "usage")
    assert verdict.error["where"] == "nowhere.json"


def test_a_sample_file_of_an_unknown_type(marking, capsys, options):
    marking.write("rows.xlsx", "")
    verdict = plugin_test(capsys, marking, "--sample-data", str(marking.root / "rows.xlsx"), *options)
    assert (verdict.exit_code, verdict.error["id"]) == (2, "usage")
    assert ".parquet" in verdict.error["remedy"]


def init(capsys, *arguments):
    capsys.readouterr()
    code = cli.run(["plugin", "init", *map(str, arguments), "--json"])
    verdict = parse_envelope(capsys.readouterr().out)
    assert verdict.exit_code == code
    return verdict


def test_init_with_an_unknown_category(tmp_path, capsys):
    verdict = init(capsys, "my_plugin", "--category", "txt", "--output", tmp_path)
    assert (verdict.exit_code, verdict.error["id"]) == (2, "usage")
    assert "text" in verdict.error["remedy"]
    assert list(tmp_path.iterdir()) == []


def test_init_over_an_existing_directory(tmp_path, capsys):
    make_plugin(tmp_path, "my_plugin").write("precious.txt", "mine")
    before = Plugin(tmp_path / "my_plugin").files()
    verdict = init(capsys, "my_plugin", "--output", tmp_path)
    assert verdict.exit_code == 2
    assert "my_plugin" in (verdict.error["where"] or "") + verdict.error["message"]
    assert Plugin(tmp_path / "my_plugin").files() == before


def test_init_with_a_hyphenated_name(tmp_path, capsys):
    verdict = init(capsys, "my-plugin", "--output", tmp_path)
    assert verdict.exit_code == 2
    assert "'my_plugin'" in verdict.error["remedy"]
    assert list(tmp_path.iterdir()) == []
