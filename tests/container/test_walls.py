"""`mixpeek sandbox check`: every wall stands at every level that can be had here, and one taken down is seen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from images.base import ensure_base
from sandbox import session
from sandbox.policy import DEFAULT
from sandbox.probes.run import run_probes
from tests.support.leftovers import sandboxes
from tests.support.plugins import make_plugin
from tests.support.verdicts import Verdict, parse_envelope
from toolchain.cli import main as cli
from toolchain.core.containers import connect, options_from_environment
from toolchain.core.reporter import SilentReporter

pytestmark = pytest.mark.engine


def check(capsys: pytest.CaptureFixture[str], *options: str) -> Verdict:
    capsys.readouterr()
    code = cli.run(["sandbox", "check", "--json", *options])
    verdict = parse_envelope(capsys.readouterr().out)
    assert verdict.exit_code == code
    return verdict


@pytest.mark.parametrize("level", ["default", "strict", "gvisor"])
def test_every_probe_comes_out_as_expected(capsys, own_engine, level):
    verdict = check(capsys, "--level", level)
    assert verdict.envelope["findings"] == []
    assert verdict.exit_code == 0
    probes = verdict.envelope["data"]["probes"]
    assert len(probes) >= 80
    assert all(probe["holds"] for probe in probes)
    assert {probe["seen"] for probe in probes if probe["wall"] == "network"} >= {"EPERM", "works"}
    assert sandboxes(own_engine) == set()


def test_the_dependencies_of_a_plugin_are_tried(capsys, tmp_path):
    plugin = make_plugin(tmp_path)
    plugin.write("requirements.txt", "onnxruntime>=1.17\n")
    verdict = check(capsys, "--path", str(plugin.root))
    assert verdict.envelope["findings"] == []
    seen = {probe["id"]: probe["seen"] for probe in verdict.envelope["data"]["probes"]}
    assert (seen["works.onnxruntime"], seen["works.torch"]) == ("works", "absent")


def test_a_plugin_whose_dependencies_are_refused_is_not_probed(capsys, tmp_path):
    plugin = make_plugin(tmp_path)
    plugin.write("requirements.txt", "./local\n")
    verdict = check(capsys, "--path", str(plugin.root))
    assert (verdict.exit_code, verdict.error["id"]) == (1, "dependencies")
    assert verdict.error["where"].startswith("requirements.txt")


def test_a_level_that_cannot_be_had_here_is_not_told(capsys, monkeypatch):
    """No GPU is in this machine; with one, this is the check of its level."""
    if shutil.which("nvidia-smi"):
        assert check(capsys, "--level", "gpu").exit_code == 0
        return
    verdict = check(capsys, "--level", "gpu")
    assert (verdict.exit_code, verdict.error["id"]) == (3, "gpu-unavailable")


@pytest.fixture(scope="module")
def podman(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """An environment whose engine is a podman service of its own; it is stopped afterwards."""
    # A unix socket's path has at most 108 characters, which pytest's own folders come close to.
    state = Path(f"/tmp/mixpeek-walls-{os.getpid()}")
    found = {**os.environ, "MIXPEEK_STATE_DIR": str(state)}
    found.pop("DOCKER_HOST", None)
    yield found
    mixpeek(found, "engine", "stop")
    shutil.rmtree(state, ignore_errors=True)


def mixpeek(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "toolchain.cli.main", *arguments]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False, env=environment)


def test_every_probe_comes_out_as_expected_on_podman(podman):
    verdict = parse_envelope(mixpeek(podman, "sandbox", "check", "--engine", "podman", "--json").stdout)
    assert verdict.envelope["findings"] == []
    assert verdict.exit_code == 0
    assert verdict.envelope["data"]["engine"].startswith("podman ")


def test_podman_says_that_it_cannot_have_gvisor(podman):
    done = mixpeek(podman, "sandbox", "check", "--engine", "podman", "--level", "gvisor", "--json")
    verdict = parse_envelope(done.stdout)
    assert (verdict.exit_code, verdict.error["id"]) == (3, "engine-refused")
    assert "MIXPEEK_ENGINE=docker" in verdict.error["remedy"]


def test_walls_taken_down_are_seen(monkeypatch):
    """The same probes without the policy: a probe that comes out right here proves nothing elsewhere."""
    real = session.container_request

    def open_request(*arguments: Any, **options: Any) -> dict[str, Any]:
        request = real(*arguments, **options)
        request["NetworkDisabled"] = False
        request["HostConfig"] |= {
            "NetworkMode": "host",
            "SecurityOpt": ["seccomp=unconfined"],
            "ReadonlyRootfs": False,
            "Tmpfs": {"/tmp": "rw,exec,mode=1777", "/dev/probe": "rw,exec"},
            "Memory": 8 << 30,
            "MemorySwap": 8 << 30,
            "NanoCpus": 0,
            "PidsLimit": 0,
            "Ulimits": [],
            "MaskedPaths": [],
            "ReadonlyPaths": [],
        }
        return request

    monkeypatch.setattr(session, "container_request", open_request)
    monkeypatch.setattr(session, "disagreements", lambda *_: [])
    with closing(connect(options_from_environment())) as engine:
        base = ensure_base(engine, SilentReporter())
        run = run_probes(engine, base.id, replace(DEFAULT, watch="nothing"), with_packages=False)
    down = {one.probe.wall for one in run.failed}
    assert down >= {
        "network",
        "mounts",
        "namespaces",
        "memory of others",
        "kernel",
        "keys",
        "calling conventions",
        "read-only root",
        "programs from writable places",
        "devices",
        "limits",
        "no new privileges",
        "seccomp",
    }
    assert "what has to work" not in down
