"""Every template, as generated, passes both ways of testing; so does the example."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from toolchain.plugin.scaffold import CATEGORIES

ROOT = Path(__file__).resolve().parents[2]


def mixpeek(*arguments):
    argv = [sys.executable, "-m", "toolchain.cli.main", *map(str, arguments)]
    return subprocess.run(argv, capture_output=True, text=True, timeout=300, check=False)


def passed(done, *more):
    assert done.returncode == 0, done.stdout + done.stderr
    data = json.loads(done.stdout)["data"]
    assert {check["name"]: check["status"] for check in data["checks"]} == dict.fromkeys(
        ("structure", "schemas", "pipeline", "tests", "samples", "realtime", "ending", *more), "passed"
    )
    return data


@pytest.fixture(scope="module", params=CATEGORIES)
def generated(request, tmp_path_factory):
    name = f"generated_{request.param}"
    folder = tmp_path_factory.mktemp("plugins")
    made = mixpeek(
        "plugin", "init", name, "--category", request.param, "--description", 'Say "hi"', "--author", "O'Neil",
        "--output", folder, "--json",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return folder / name


@pytest.mark.engine
def test_a_generated_plugin_passes_in_the_sandbox(generated):
    data = passed(mixpeek("plugin", "test", "--sandbox", "--json", "--path", generated), "scan", "behaviour")
    assert data["evidence"]["observed"]["confinement"]["network"] == "none"
    assert data["samples"]["recomputed"]["vectors"]


def test_a_generated_plugin_passes_on_this_machine(generated):
    passed(mixpeek("plugin", "test", "--json", "--path", generated))


@pytest.mark.engine
def test_the_example_embeds_a_thousand_real_rows_in_the_sandbox():
    done = mixpeek("plugin", "test", "--sandbox", "--json", "--path", ROOT / "examples/text_embedder")
    data = passed(done, "scan", "behaviour")
    (vectors,) = data["samples"]["recomputed"]["vectors"]
    assert (vectors["vectors"] >= 1000, vectors["dimension"], vectors["missing"]) == (True, 256, 0)
