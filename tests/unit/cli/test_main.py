"""The program's frame: exit codes, the error envelope, and the one place where errors are caught."""

import importlib
import json
import pkgutil
import warnings
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import click
import jsonschema
import pytest

import images
import registry
import sandbox
import toolchain
from tests.support.permissions import permissions_bind
from tests.support.results import finding, result
from toolchain.building import BuildOrder, BuildOutcome
from toolchain.cli.commands.plugin_build import _result as build_result
from toolchain.cli.main import LazyGroup, cli, plugin, run
from toolchain.cli.output import Result, finish, report_error
from toolchain.cli.rendering import render_findings
from toolchain.cli.scan_rendering import to_text
from toolchain.core.errors import EngineUnavailable, ExitCode, MixpeekError, PluginFault, UsageFault
from toolchain.core.findings import Finding, Severity
from toolchain.publish.record.reading import read_record
from toolchain.scan import Scanned

SCHEMA = json.loads(files("toolchain.cli").joinpath("output.schema.json").read_text())


def every_error():
    """Every class of our errors, whichever modules other tests happened to import before."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what the libraries below say of each other
        for package in (images, registry, sandbox, toolchain):
            for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
                if not {"guest", "migrations", "templates"} & set(module.name.split(".")):
                    importlib.import_module(module.name)
    found, queue = [], [MixpeekError]
    while queue:
        kind = queue.pop()
        found.append(kind)
        queue.extend(kind.__subclasses__())
    return found


def test_version(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.startswith("mixpeek, version ")


def test_an_unknown_command_is_a_usage_error_with_a_next_step(capsys):
    assert run(["plugin", "tset"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "No such command 'tset'. Did you mean 'test'?" in shown.err
    assert "next step: see `mixpeek plugin --help`" in shown.err


@pytest.mark.parametrize("arguments", [["plugin", "tset", "--json"], ["plugin", "test", "--nope", "--json"]])
def test_usage_errors_come_as_json_when_asked_for(capsys, arguments):
    assert run(arguments) == 2
    envelope = json.loads(capsys.readouterr().out)
    jsonschema.validate(envelope, SCHEMA)
    assert (envelope["verdict"], envelope["error"]["id"]) == ("usage", "usage")


def test_no_arguments_show_the_help(capsys):
    run([])
    assert "Usage: mixpeek" in "".join(capsys.readouterr())


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_class_fits_the_envelope(capsys, kind):
    error = kind.__new__(kind)  # some say their own sentence: what all of them share is the root's
    MixpeekError.__init__(error, "something happened", where="here", remedy="do this")
    code = report_error("plugin test", error, as_json=True)
    envelope = json.loads(capsys.readouterr().out)
    jsonschema.validate(envelope, SCHEMA)
    assert envelope["exit_code"] == code == kind.exit_code
    assert envelope["error"] == {
        "id": kind.id,
        "message": "something happened",
        "where": "here",
        "remedy": "do this",
    }


def test_error_ids_are_unique():
    ids = [kind.id for kind in every_error()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (PluginFault, ExitCode.PLUGIN_AT_FAULT),
        (UsageFault, ExitCode.USAGE),
        (EngineUnavailable, ExitCode.COULD_NOT_TELL),
    ],
)
def test_an_error_raised_in_a_command_becomes_its_exit_code(monkeypatch, capsys, kind, code):
    @click.command("boom")
    def boom():
        raise kind("it broke", where="there", remedy="mend it")

    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: boom)
    assert run(["boom"]) == code
    assert capsys.readouterr().err == "error: there: it broke\n  next step: mend it\n"


def test_ctrl_c_is_could_not_tell(monkeypatch, capsys):
    @click.command("wait")
    def wait():
        raise KeyboardInterrupt

    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: wait)
    assert run(["wait", "--json"][:1]) == ExitCode.COULD_NOT_TELL
    assert "interrupted" in capsys.readouterr().err


def test_a_bug_keeps_its_traceback_and_blames_nobody_else(monkeypatch, capsys):
    @click.command("bug")
    @click.option("--json", is_flag=True)
    def bug(json):
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: bug)
    assert run(["bug", "--json"]) == ExitCode.COULD_NOT_TELL
    shown = capsys.readouterr()
    assert "Traceback" in shown.err
    envelope = json.loads(shown.out)
    jsonschema.validate(envelope, SCHEMA)
    assert envelope["error"]["id"] == "internal"


@pytest.mark.parametrize("code", list(ExitCode))
def test_every_result_fits_the_envelope(capsys, code):
    finding = Finding(Severity.ERROR, "structure.missing-file", "missing", "make it", "manifest.py", 3)
    with pytest.raises(click.exceptions.Exit) as left:
        finish(Result("plugin test", code, "text", {"a": 1}, (finding,)), as_json=True)
    envelope = json.loads(capsys.readouterr().out)
    jsonschema.validate(envelope, SCHEMA)
    assert left.value.exit_code == envelope["exit_code"] == code


@pytest.mark.parametrize("group", [cli, plugin], ids=["mixpeek", "mixpeek plugin"])
def test_every_listed_command_loads_and_explains_itself(group):
    context = click.Context(group)
    for name in group.list_commands(context):
        loaded = group.get_command(context, name)
        assert loaded is not None
        assert loaded.help, f"{name} has no help"
        assert name == loaded.name


def test_a_strangers_controls_do_not_reach_the_terminal(capsys):
    with pytest.raises(click.exceptions.Exit):
        finish(Result("plugin test", ExitCode.PASSED, "a\x1b]0;owned\x07b\ud800"), as_json=False)
    assert capsys.readouterr().out == "a<U+001B>]0;owned<U+0007>b<U+D800>\n"
    report_error("plugin test", UsageFault("x\x1b[2J", where="y\x9b", remedy="z"), as_json=False)
    assert "\x1b" not in capsys.readouterr().err


def test_a_lone_surrogate_is_valid_json(capsys):
    with pytest.raises(click.exceptions.Exit):
        finish(Result("plugin test", ExitCode.PASSED, "", {"name": "\ud800"}), as_json=True)
    assert json.loads(capsys.readouterr().out)["data"]["name"] == "\ud800"


@pytest.mark.parametrize(
    "arguments",
    [
        ["fill"],
        ["fill", "--json"],
        ["plugin", "tset", "--json"],
        ["--help"],
        ["plugin", "test", "-h"],
        ["--version"],
    ],
)
def test_a_result_that_cannot_be_written_is_could_not_tell(monkeypatch, capsys, arguments):
    @click.command("fill")
    @click.option("--json", "as_json", is_flag=True)
    def fill(*, as_json):
        finish(Result("fill", ExitCode.PASSED, "text"), as_json=as_json)

    if arguments[0] == "fill":
        monkeypatch.setattr(LazyGroup, "get_command", lambda *_: fill)
    full = Path("/dev/full").open("w")  # noqa: SIM115 - closing it would try to write
    monkeypatch.setattr("sys.stdout", full)
    assert run(arguments) == ExitCode.COULD_NOT_TELL
    assert capsys.readouterr().err.startswith(
        "error: standard output: the result cannot be written: No space left"
    )
    with pytest.raises(OSError, match="No space left"):
        full.close()


@pytest.mark.parametrize(
    "names", [(), ("notes.txt",), ("data.json", "sub/more.txt")], ids=["nothing", "a text", "data"]
)
def test_a_folder_without_anything_of_a_plugin_does_not_pass(tmp_path, capsys, names):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("[1]")
    for arguments in (["scan", str(tmp_path)], ["diff", str(tmp_path), str(tmp_path)]):
        assert run(["plugin", *arguments]) == ExitCode.USAGE
        assert "nothing here looks like a plugin" in capsys.readouterr().err


def test_one_file_of_text_is_no_plugin_and_one_of_code_is_scanned(tmp_path):
    (tmp_path / "hostname").write_text("host\n")
    (tmp_path / "a.py").touch()
    assert run(["plugin", "scan", str(tmp_path / "hostname")]) == ExitCode.USAGE
    assert run(["plugin", "scan", str(tmp_path / "a.py")]) == ExitCode.PASSED


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["key", "trust", "nope"], "'nope' does not exist"),
        (["plugin", "publish", "--key", "nope"], "'nope' does not exist"),
        (["plugin", "build", "--cpu", "--gpu"], "--cpu and --gpu exclude each other"),
        (["plugin", "build", "--tag", "BAD TAG"], "'BAD TAG' cannot name an image"),
    ],
)
def test_wrong_usage_is_told_before_anything_else_is_tried(capsys, arguments, said):
    assert run(arguments) == ExitCode.USAGE
    assert said in capsys.readouterr().err


def test_nothing_is_started_to_look_for_leftovers(monkeypatch, capsys):
    monkeypatch.setattr("toolchain.cli.commands.sandbox_clean.connect_running", lambda: None)
    assert run(["sandbox", "clean"]) == ExitCode.PASSED
    assert "no engine is running" in capsys.readouterr().out


def test_many_findings_of_a_kind_at_one_line_are_shown_as_a_few():
    many = [Finding(Severity.ERROR, "tests.failed", f"test {n}", "correct it", "core.py", 3) for n in range(29)]
    elsewhere = Finding(Severity.ERROR, "tests.failed", "another", "correct it", "core.py", 4)
    shown = "\n".join(render_findings([*many, elsewhere]))
    assert shown.count("fix: correct it") == 4
    assert "… and 26 more of these at core.py:3" in shown
    assert "another" in shown


def test_a_pruning_that_removes_nothing_says_why(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIXPEEK_CACHE_DIR", str(tmp_path))
    assert run(["cache", "prune"]) == 0
    assert "--unused-days" in capsys.readouterr().out
    assert run(["cache", "prune", "--keep", "0"]) == 0
    assert "--unused-days" not in capsys.readouterr().out


def test_a_missing_record_is_the_publishers_to_give(tmp_path):
    with pytest.raises(UsageFault, match="the record cannot be read") as caught:
        read_record(tmp_path / "nope")
    assert "ask the publisher" in caught.value.remedy
    (tmp_path / "locked").touch(mode=0)
    with permissions_bind(), pytest.raises(UsageFault, match="Permission denied") as caught:
        read_record(tmp_path / "locked")
    assert "may read" in caught.value.remedy


def test_one_is_not_many():
    assert "1 finding in 1 file, 4 lines of Python" in to_text([Scanned("a", result(finding()))], ())


def test_a_build_says_where_its_sbom_lies(tmp_path):
    image = SimpleNamespace(
        id="sha256:1",
        tag="mixpeek/a:cpu",
        size=1,
        base=SimpleNamespace(id="", tag="base", origin="", target=SimpleNamespace(architecture="amd64")),
        lock=SimpleNamespace(digest="", wheels=()),
        route="load",
        phases=(),
    )
    outcome = BuildOutcome((), image, tmp_path / "pylock.cpu.toml")
    said = build_result(outcome, image, BuildOrder(tmp_path, sbom=tmp_path / "sbom.json"))
    assert f"SBOM written: {tmp_path / 'sbom.json'}" in said.text
    assert said.data["image"]["architecture"] == "amd64"
