"""Releases made with the real engine: what is published is what was verified, and nothing is verified twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.platforms import KEY, NAMESPACE, platform_server
from tests.support.verdicts import parse_envelope
from toolchain.cli import main as cli
from toolchain.core.containers.options import state_dir
from toolchain.publish.archive import read_archive

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("own_engine")]


@pytest.fixture
def server(monkeypatch):
    with platform_server() as running:
        monkeypatch.setenv("MIXPEEK_BASE_URL", running.url)
        monkeypatch.setenv("MIXPEEK_API_KEY", KEY)
        monkeypatch.setenv("MIXPEEK_NAMESPACE", NAMESPACE)
        yield running


def run(capsys, *arguments):
    capsys.readouterr()
    code = cli.run([*arguments, "--json"])
    told = capsys.readouterr()
    assert KEY not in told.out + told.err
    envelope = parse_envelope(told.out).envelope
    assert envelope["exit_code"] == code
    return envelope


def test_a_dry_run_makes_a_release_that_verifies_and_sends_nothing(server, plugin, capsys, leaves_nothing):
    made = run(capsys, "plugin", "publish", "--path", str(plugin.root), "--dry-run")
    assert made["exit_code"] == 0, made
    release = made["data"]["release"]
    assert made["data"]["published"] is None
    assert server.seen == []
    verified = run(capsys, "plugin", "verify", release["archive"])
    assert verified["exit_code"] == 0, verified
    facts = {fact["fact"]: fact for fact in verified["data"]["facts"]}
    assert facts["files"]["source"] == "recomputed"
    assert facts["check tests"]["source"] == "signed: claimed"
    assert facts["image"]["source"] == "signed: observed"
    assert facts["check ending"]["source"] == "signed: observed"
    assert "pylock.cpu.toml" in [member.name for member in read_archive(Path(release["archive"])).members]

    again = run(capsys, "plugin", "publish", "--path", str(plugin.root), "--dry-run")
    assert set(again["data"]["release"]["reused"]) == {"test", "scan", "sbom"}
    assert again["data"]["release"]["archive_sha256"] == release["archive_sha256"]

    plugin.write("notes.txt", "a change")
    changed = run(capsys, "plugin", "publish", "--path", str(plugin.root), "--dry-run")
    assert "test" not in changed["data"]["release"]["reused"]


def test_the_whole_way_and_again(server, plugin, capsys):
    published = run(capsys, "plugin", "publish", "--path", str(plugin.root))
    assert published["exit_code"] == 0, published
    stored = server.calls("PUT")[0].body
    assert Path(published["data"]["release"]["archive"]).read_bytes() == stored
    again = run(capsys, "plugin", "publish", "--path", str(plugin.root))
    assert again["data"]["published"]["was_there"]
    assert len(server.calls("PUT")) == 1
    assert state_dir(os.environ).joinpath("keys", "signing.pem").stat().st_mode & 0o077 == 0


def test_failing_tests_and_forbidden_code_are_not_released(server, plugin, capsys):
    plugin.write("tests/test_fails.py", "def test_it():\n    assert False\n")
    failed = run(capsys, "plugin", "publish", "--path", str(plugin.root))
    assert (failed["exit_code"], failed["data"]["ended_at"]) == (1, "test")
    plugin.remove("tests/test_fails.py")
    plugin.write("helper.py", "import subprocess\n\n\ndef run():\n    subprocess.run(['id'])\n")
    refused = run(capsys, "plugin", "publish", "--path", str(plugin.root))
    assert (refused["exit_code"], refused["data"]["ended_at"]) in {(1, "scan"), (1, "test")}
    assert any(finding["file"] == "helper.py" for finding in refused["findings"])
    assert server.seen == []


def test_the_api_key_in_a_file_is_never_sent(server, plugin, capsys):
    plugin.write("config.py", f'KEY = "{KEY}"\n')
    refused = run(capsys, "plugin", "publish", "--path", str(plugin.root))
    assert (refused["exit_code"], refused["data"]["ended_at"]) == (1, "pack")
    assert [finding["rule"] for finding in refused["findings"] if finding["severity"] == "error"] == [
        "pack.api-key"
    ]
    assert server.seen == []
