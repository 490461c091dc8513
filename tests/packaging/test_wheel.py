"""The wheel: its exact top-level names, what it must carry, and that it works from a clean environment."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import uv

ROOT = Path(__file__).resolve().parents[2]
UV = uv.find_uv_bin()


def run(*argv, **options):
    return subprocess.run([*map(str, argv)], capture_output=True, text=True, timeout=300, check=False, **options)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    built = run(UV, "build", "--wheel", "--out-dir", folder, ROOT)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The ``bin`` folder of a fresh environment that holds nothing but the wheel and its dependencies."""
    folder = tmp_path_factory.mktemp("clean") / "environment"
    assert run(UV, "venv", "--python", sys.executable, folder).returncode == 0
    done = run(UV, "pip", "install", "--python", folder / "bin/python", wheel)
    assert done.returncode == 0, done.stderr
    return folder / "bin"


def test_the_top_level_names_are_exactly_ours(names):
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "engine",
        "images",
        "registry",
        "sandbox",
        "toolchain",
    }


@pytest.mark.parametrize(
    "carried",
    [
        "images/dockerfiles/Dockerfile.cpu",
        "images/dockerfiles/Dockerfile.gpu",
        "sandbox/seccomp/cpu.json",
        "sandbox/seccomp/gpu.json",
        "registry/database/migrations/versions/v0001_first_schema.py",
        "registry/pages/static/style.css",
        "registry/pages/templates/plugin.html",
        "sandbox/guest/__main__.py",
        "toolchain/cli/output.schema.json",
        "toolchain/scan/html/style.css",
        "toolchain/scan/policy/rules.toml",
        *(
            f"toolchain/plugin/templates/{category}/{file}"
            for category in ("text", "image", "video", "audio", "document", "multimodal")
            for file in (
                "manifest.py",
                "pipeline.py",
                "realtime.py",
                "processors/core.py",
                "samples.json",
                "README.md",
            )
        ),
    ],
)
def test_what_the_program_needs_at_run_time_is_in_the_wheel(names, carried):
    assert carried in names


def test_nothing_of_the_workshop_is_in_the_wheel(names):
    strays = ("tests/", "benchmarks/", "examples/", "__pycache__", ".ruff_cache", ".pytest_cache", ".pyc")
    ours = [name for name in names if not name.startswith("toolchain/plugin/templates/")]
    assert [name for name in ours if any(stray in name for stray in strays)] == []
    assert [name for name in names if "__pycache__" in name or "_cache/" in name] == []


def test_the_installed_program_tells_its_version(installed):
    told = run(installed / "mixpeek", "--version")
    assert (told.returncode, told.stdout) == (0, "mixpeek, version 0.1.0\n")


def test_the_installed_program_makes_and_tests_a_plugin(installed, tmp_path):
    made = run(installed / "mixpeek", "plugin", "init", "wheel_check", "--output", tmp_path)
    assert made.returncode == 0, made.stderr
    tested = run(installed / "mixpeek", "plugin", "test", "--json", "--path", tmp_path / "wheel_check")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert json.loads(tested.stdout)["verdict"] == "passed"
