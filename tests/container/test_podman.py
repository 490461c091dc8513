"""The second engine: the whole way through `podman system service`, which mixpeek starts itself."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from sandbox.batches import Batches, BatchJob
from sandbox.outcome import Ending
from sandbox.policy import Policy
from toolchain.core.containers import ConnectOptions, connect
from toolchain.core.image_layout import plugin_directory
from toolchain.plugin.scaffold import ScaffoldRequest, create_plugin

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment whose engine is a podman service of its own; it is stopped afterwards."""
    # A unix socket's path has at most 108 characters, which pytest's own folders come close to.
    state = Path(f"/tmp/mixpeek-podman-{os.getpid()}")
    found = {**os.environ, "MIXPEEK_ENGINE": "podman", "MIXPEEK_STATE_DIR": str(state)}
    found.pop("DOCKER_HOST", None)
    yield found
    mixpeek(found, "engine", "stop")
    shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    return create_plugin(ScaffoldRequest("on_podman", output=tmp_path_factory.mktemp("plugins"))).root


def mixpeek(environment, *arguments):
    argv = [sys.executable, "-m", "toolchain.cli.main", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False, env=environment)


@pytest.fixture(scope="module")
def report(environment, plugin):
    done = mixpeek(environment, "plugin", "test", "--sandbox", "--json", "--path", plugin)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_plugin_passes_on_podman(report):
    assert report["verdict"] == "passed"
    assert report["data"]["evidence"]["observed"]["engine"].startswith("podman ")


def test_podman_says_that_it_applied_what_we_asked_for(report):
    held = report["data"]["evidence"]["observed"]["confinement"]
    assert held["network"] == "none"
    assert held["read_only_root"] is True
    assert held["no_new_privileges"] is True
    assert held["user"] == "65532:65532"
    assert held["memory_bytes"] == 4 << 30
    assert held["seccomp"]


def test_a_failing_plugin_fails_on_podman(environment, plugin, report):
    failing = plugin / "tests/test_failing.py"
    failing.write_text("def test_it_fails():\n    assert 1 == 2\n")
    done = mixpeek(environment, "plugin", "test", "--sandbox", "--json", "--path", plugin)
    failing.unlink()
    assert done.returncode == 1
    assert [finding["rule"] for finding in json.loads(done.stdout)["findings"]] == ["tests.failed"]


def test_batches_share_memory_with_podman(environment, plugin, report):
    options = ConnectOptions(environment=environment, preferred="podman")
    job = BatchJob("on_podman", plugin_directory("on_podman"))
    table = pa.table({"text": ["some words"] * 100})
    with closing(connect(options)) as engine:
        assert engine.kind == "podman"
        with Batches(engine, report["data"]["evidence"]["image"]["id"], Policy(), job) as batches:
            results = list(batches.run([table] * 5))
            assert batches.shares_memory
            assert batches.finish().ending is Ending.COMPLETED
    assert {result.table.num_rows for result in results} == {100}
    assert "on_podman_embedding" in results[0].table.column_names


def test_nothing_is_left_on_podman(environment, report):
    status = json.loads(mixpeek(environment, "engine", "status", "--json").stdout)
    address = status["data"]["engine"]["address"]
    assert status["data"]["engine"]["kind"] == "podman"
    import docker

    client = docker.DockerClient(base_url=address)
    assert client.containers.list(all=True) == []
    client.close()
