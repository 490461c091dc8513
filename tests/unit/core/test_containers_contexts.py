"""Which engine the user has chosen: variables, contexts, folders."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from toolchain.core.containers.contexts import Credentials, Endpoint, current_context, from_variables
from toolchain.core.containers.options import ConnectOptions, options_from_environment, runtime_dir, state_dir
from toolchain.core.errors import SettingsFault


def write_context(folder: Path, name: str, endpoint: dict[str, Any]) -> Path:
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts/meta" / digest
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": endpoint}}))
    return folder / "contexts/tls" / digest / "docker"


def test_no_configuration_is_the_default_context(tmp_path: Path) -> None:
    assert current_context({"HOME": str(tmp_path)}) is None


@pytest.mark.parametrize("name", ["default", ""])
def test_the_default_context_by_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": name}))
    assert current_context({"DOCKER_CONFIG": str(tmp_path)}) is None


def test_the_current_context_under_home(tmp_path: Path) -> None:
    write_context(tmp_path / ".docker", "far", {"Host": "tcp://far:2375"})
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "far"}')
    assert current_context({"HOME": str(tmp_path)}) == ("far", Endpoint("tcp://far:2375"))


def test_the_variable_wins_over_the_file(tmp_path: Path) -> None:
    write_context(tmp_path, "one", {"Host": "unix:///one"})
    write_context(tmp_path, "two", {"Host": "unix:///two"})
    (tmp_path / "config.json").write_text('{"currentContext": "one"}')
    environment = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "two"}
    assert current_context(environment) == ("two", Endpoint("unix:///two"))


@pytest.mark.parametrize(("skip", "verify"), [(True, False), (False, True)])
def test_a_context_with_tls_files(tmp_path: Path, skip: bool, verify: bool) -> None:
    files = write_context(tmp_path, "far", {"Host": "tcp://far:2376", "SkipTLSVerify": skip})
    files.mkdir(parents=True)
    found = current_context({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "far"})
    assert found == ("far", Endpoint("tcp://far:2376", Credentials(files, verify)))


def test_a_context_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsFault, match="'gone' has no engine address"):
        current_context({"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"})


def test_a_configuration_that_does_not_parse_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(SettingsFault, match="cannot be read"):
        current_context({"DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize(
    ("environment", "credentials"),
    [
        ({}, None),
        ({"DOCKER_TLS_VERIFY": ""}, None),
        ({"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": "/c"}, Credentials(Path("/c"), verify=True)),
        ({"DOCKER_CERT_PATH": "/c"}, Credentials(Path("/c"), verify=False)),
        ({"DOCKER_TLS_VERIFY": "1", "HOME": "/h"}, Credentials(Path("/h/.docker"), verify=True)),
    ],
)
def test_tls_from_the_variables(environment: dict[str, str], credentials: Credentials | None) -> None:
    assert from_variables("tcp://far:2376", environment) == Endpoint("tcp://far:2376", credentials)


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"MIXPEEK_STATE_DIR": "/s", "XDG_STATE_HOME": "/x"}, "/s"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/mixpeek"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/mixpeek"),
        ({"HOME": "/h"}, "/h/.local/state/mixpeek"),
    ],
)
def test_the_state_folder(environment: dict[str, str], expected: str) -> None:
    assert state_dir(environment) == Path(expected)


def test_the_runtime_folder_follows_the_variable() -> None:
    assert runtime_dir({"XDG_RUNTIME_DIR": "/run/user/7"}) == Path("/run/user/7")


def test_options_see_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://here:1")
    assert options_from_environment().environment["DOCKER_HOST"] == "tcp://here:1"
    assert ConnectOptions().environment == {}
