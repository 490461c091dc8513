"""The doctor on a real engine: sound walls pass, walls taken down are seen, nothing is left behind."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from images.base import ensure_base
from images.environment import cache_directory
from images.layout import LABEL_ROLE
from sandbox import session
from sandbox.launch import Dialect
from tests.support.archives import tarred
from tests.support.leftovers import sandboxes
from toolchain.cli import output
from toolchain.core.containers import ConnectOptions, connect, options_from_environment, stop_private_engine
from toolchain.core.reporter import SilentReporter
from toolchain.doctor import DoctorOptions, Status, Surroundings, diagnose, repair, survey
from toolchain.doctor.isolation import isolation

pytestmark = pytest.mark.engine

FOREIGN = "mixpeek/base:of-another-architecture"


@pytest.fixture(scope="module")
def surroundings() -> Iterator[Surroundings]:
    """This machine with an engine and a base image, both made if need be."""
    engine = connect(options_from_environment())
    ensure_base(engine, SilentReporter())
    engine.close()
    found = survey(DoctorOptions(options_from_environment(), cache_directory()))
    assert found.engine is not None
    assert found.base_image is not None
    yield found
    found.engine.close()


def test_every_wall_stands_and_nothing_is_left(surroundings: Surroundings) -> None:
    (check,) = isolation(surroundings)
    assert (check.name, check.status) == ("isolation", Status.OK), check
    assert surroundings.engine is not None
    assert sandboxes(surroundings.engine) == set()


@pytest.mark.parametrize("call", ["start", "wait", "inspect_container"])
def test_ctrl_c_at_any_step_leaves_no_container(
    surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    assert surroundings.engine is not None
    monkeypatch.setattr(surroundings.engine.client.api, call, interrupted)
    with pytest.raises(KeyboardInterrupt):
        isolation(surroundings)
    monkeypatch.undo()
    assert sandboxes(surroundings.engine) == set()


def test_a_profile_that_the_engine_does_not_take_is_an_error(
    surroundings: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonsense = Dialect('{"defaultAction": "SCMP_ACT_NONSENSE"}')
    monkeypatch.setattr(session, "dialect_for", lambda *_: nonsense)
    checks = [check for check in diagnose(surroundings).checks if check.name == "isolation"]
    assert [check.status for check in checks] == [Status.ERROR]
    assert "seccomp" in checks[0].detail.lower()
    assert surroundings.engine is not None
    assert sandboxes(surroundings.engine) == set()


def test_a_base_of_another_architecture_is_not_taken_for_this_machines(surroundings: Surroundings) -> None:
    assert surroundings.engine is not None
    api = surroundings.engine.client.api
    foreign = image_archive({"architecture": "riscv64", "os": "linux", "created": "2999-01-01T00:00:00Z"}, FOREIGN)
    api.load_image(foreign)
    try:
        found = survey(DoctorOptions(options_from_environment(), cache_directory()))
        assert found.engine is not None
        found.engine.close()
        assert found.base_image == surroundings.base_image
    finally:
        api.remove_image(FOREIGN, force=True)


def image_archive(facts: dict[str, Any], name: str) -> bytes:
    """A base image of one empty layer, as ``docker load`` takes it."""
    layer = io.BytesIO()
    tarfile.open(fileobj=layer, mode="w").close()
    digest = f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"
    config = {"config": {"Labels": {LABEL_ROLE: "base"}}, "rootfs": {"type": "layers", "diff_ids": [digest]}}
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    files = {"config.json": {**facts, **config}, "manifest.json": manifest}
    members = [(name, json.dumps(content).encode()) for name, content in files.items()]
    return tarred(*members, ("layer.tar", layer.getvalue()), mode="w")


def test_the_diagnosis_is_complete(surroundings: Surroundings) -> None:
    names = {check.name for check in diagnose(surroundings).checks}
    assert {
        "isolation",
        "engine",
        "cgroups",
        "gvisor",
        "uv",
        "python",
        "base-image",
        "image-registry",
        "gpu",
    } <= names


def test_the_command_speaks_the_output_schema(surroundings: Surroundings) -> None:
    assert surroundings.engine is not None
    done = mixpeek("doctor", "--json")
    document = json.loads(done.stdout)
    schema = json.loads(Path(output.__file__).with_name("output.schema.json").read_text())
    jsonschema.validate(document, schema)
    assert document["command"] == "doctor"
    assert document["exit_code"] == done.returncode
    assert "isolation" in {check["name"] for check in document["data"]["checks"]}


def test_the_table_has_words_and_no_colour_in_a_pipe(surroundings: Surroundings) -> None:
    done = mixpeek("doctor")
    assert "\x1b" not in done.stdout
    assert "isolation" in done.stdout
    assert done.stdout.splitlines()[0].startswith("ok       engine ")


def test_a_chosen_engine_that_is_gone_is_exit_3_with_its_reason() -> None:
    done = mixpeek("doctor", "--json", DOCKER_HOST="unix:///nowhere.sock")
    assert done.returncode == 3
    checks = {check["name"]: check for check in json.loads(done.stdout)["data"]["checks"]}
    assert checks["engine"]["status"] == "error"
    assert "DOCKER_HOST" in checks["engine"]["detail"]
    assert checks["isolation"]["status"] == "unknown"


@pytest.mark.parametrize("arguments", [("engine", "status"), ("engine", "stop")])
def test_the_engine_commands_speak_the_output_schema(
    surroundings: Surroundings, arguments: tuple[str, str], tmp_path: Path
) -> None:
    assert surroundings.engine is not None
    # Where the tests' engine is one that mixpeek started, `stop` must not find it and `status` must.
    elsewhere = {"MIXPEEK_STATE_DIR": str(tmp_path)} if arguments[1] == "stop" else {}
    done = mixpeek(*arguments, "--json", **elsewhere)
    assert done.returncode == 0
    document = json.loads(done.stdout)
    schema = json.loads(Path(output.__file__).with_name("output.schema.json").read_text())
    jsonschema.validate(document, schema)
    assert document["command"] == " ".join(arguments)


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[DoctorOptions]:
    """A machine whose installed dockerd is not running, as far as these options see."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "XDG_"))}
    environment = plain | {"HOME": str(tmp_path), "MIXPEEK_STATE_DIR": str(tmp_path / "state")}
    nowhere = tmp_path / "nowhere.sock"
    options = ConnectOptions(
        environment=environment, docker_socket=nowhere, podman_socket=nowhere, preferred="docker", may_start=False
    )
    yield DoctorOptions(options, cache_directory())
    stop_private_engine(options)


def test_without_fix_nothing_is_started(bare: DoctorOptions) -> None:
    surroundings = survey(bare)
    assert surroundings.engine is None
    checks = {check.name: check for check in diagnose(surroundings).checks}
    assert "installed but was not started" in checks["engine"].detail
    assert "mixpeek doctor --fix" in checks["engine"].remedy
    assert checks["isolation"].status is Status.UNKNOWN


def test_fix_starts_the_engine_and_makes_the_base(bare: DoctorOptions) -> None:
    surroundings, done = repair(bare, SilentReporter())
    assert surroundings.engine is not None
    try:
        assert [line.split(":")[0] for line in done] == ["started an engine", done[1].split(":")[0]]
        assert done[1].startswith("made the base image mixpeek/base:")
        checks = {check.name: check for check in diagnose(surroundings, repaired=done).checks}
        assert checks["isolation"].status is Status.OK
        assert checks["base-image"].status is Status.OK
    finally:
        surroundings.engine.close()
    again, more = repair(bare, SilentReporter())
    assert again.engine is not None
    again.engine.close()
    assert more == ()


def test_a_base_that_cannot_be_had_is_said(bare: DoctorOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIXPEEK_BASE_IMAGE", "registry.invalid/none:1")
    surroundings, done = repair(bare, SilentReporter())
    assert surroundings.engine is not None
    surroundings.engine.close()
    assert done[-1].startswith("could not make the base image: ")


def mixpeek(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "NO_COLOR": "", **variables}
    return subprocess.run(
        [sys.executable, "-m", "toolchain.cli.main", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
