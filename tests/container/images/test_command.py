"""``mixpeek plugin build`` as its users meet it: phases, lock, SBOM and platforms."""

from __future__ import annotations

import json

import pytest

from tests.support.plugins import make_plugin
from toolchain.cli.main import run

from .conftest import remove

pytestmark = [pytest.mark.engine, pytest.mark.usefixtures("base")]

PHASES = ["resolve", "fetch", "dependencies", "code"]


@pytest.fixture
def built(fresh, engine, monkeypatch, tmp_path, capsys):
    """Runs the command on a plugin; returns its exit status, envelope (with ``--json``) and what it said."""
    monkeypatch.setenv("MIXPEEK_CACHE_DIR", str(fresh.root))
    plugin = make_plugin(tmp_path)

    def build(*options):
        code = run(["plugin", "build", "--path", str(plugin.root), *options])
        out, err = capsys.readouterr()
        return code, json.loads(out) if "--json" in options else out, err

    build.plugin = plugin
    yield build
    remove(engine, "mixpeek/spoiled_plugin:cpu")


def test_phases_lock_and_sbom(built, tmp_path):
    code, text, said = built("--sbom", str(tmp_path / "sbom.json"))
    assert code == 0, said
    assert [line.split()[1] for line in said.splitlines() if line.split()[1] in PHASES] == PHASES
    assert all(line.split()[0] == "ok" and " s  " in line for line in said.splitlines())
    assert "lock written" in text
    assert json.loads((tmp_path / "sbom.json").read_text())["specVersion"] == "1.6"
    lock = (built.plugin.root / "pylock.cpu.toml").read_text()
    assert "pandas" in lock
    code, envelope, said = built("--json", "--locked")
    assert (code, said) == (0, "")
    phases = envelope["data"]["image"]["phases"]
    assert [phase["name"] for phase in phases] == PHASES
    assert all(phase["cached"] for phase in phases)
    assert envelope["data"]["lock_changed"] is False
    assert (built.plugin.root / "pylock.cpu.toml").read_text() == lock
    _, plain, said = built()
    assert all("cached" in line for line in said.splitlines() if line.split()[1] in PHASES)
    assert "lock unchanged" in plain


def test_a_stale_lock_is_the_plugins_fault_and_a_strange_platform_the_users(built):
    code, envelope, _ = built("--json", "--locked")
    assert (code, envelope["error"]["id"]) == (1, "lock-stale")
    code, envelope, _ = built("--json", "--platform", "linux/s390x")
    assert (code, envelope["error"]["id"]) == (2, "usage")
    assert "linux/arm64" in envelope["error"]["remedy"]
    assert not list(built.plugin.root.glob("pylock.*"))
