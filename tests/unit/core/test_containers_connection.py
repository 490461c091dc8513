"""The cascade's decisions that need no engine: who was chosen, who must answer, what is said when nobody does."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from toolchain.core.containers import connection, dial
from toolchain.core.containers.connection import connect, connect_running
from toolchain.core.containers.contexts import Credentials, Endpoint
from toolchain.core.containers.options import ConnectOptions
from toolchain.core.containers.probe import Ping, State
from toolchain.core.containers.programs import Program
from toolchain.core.containers.ssh import ssh_argv
from toolchain.core.errors import EngineUnavailable, ProcessFailed, SettingsFault


@pytest.fixture
def nothing(tmp_path: Path) -> ConnectOptions:
    """Options under which no rule finds anything and nothing may be started."""
    environment = {
        "HOME": str(tmp_path),
        "MIXPEEK_STATE_DIR": str(tmp_path / "s"),
        "XDG_RUNTIME_DIR": str(tmp_path / "r"),
        "PATH": str(tmp_path),
    }
    return ConnectOptions(
        environment=environment,
        may_start=False,
        docker_socket=tmp_path / "docker.sock",
        podman_socket=tmp_path / "podman.sock",
        ping_seconds=0.2,
    )


def with_variable(options: ConnectOptions, **variables: str) -> ConnectOptions:
    return replace(options, environment={**options.environment, **variables})


def test_nobody_anywhere_gives_the_install_line(nothing: ConnectOptions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "program_for", lambda *_: None)
    with pytest.raises(EngineUnavailable, match="no container engine answers") as caught:
        connect(nothing)
    assert "install" in caught.value.remedy


def test_an_installed_engine_that_may_not_be_started_is_named(
    nothing: ConnectOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Program("docker", "dockerd", lambda *_: [], True, "dockerd")
    monkeypatch.setattr(connection, "program_for", lambda kind, _: installed if kind == "docker" else None)
    with pytest.raises(EngineUnavailable, match="dockerd is installed but was not started") as caught:
        connect(nothing)
    assert "mixpeek doctor --fix" in caught.value.remedy


def test_an_engine_that_would_have_to_be_started_does_not_run(
    nothing: ConnectOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed = Program("docker", "dockerd", lambda *_: [], True, "dockerd")
    monkeypatch.setattr(connection, "program_for", lambda kind, _: installed if kind == "docker" else None)
    assert connect_running(replace(nothing, may_start=True)) is None
    with pytest.raises(EngineUnavailable):
        connect_running(with_variable(nothing, DOCKER_HOST="unix:///gone.sock"))


@pytest.mark.parametrize("place", ["DOCKER_HOST", "the engine setting"])
def test_a_chosen_engine_that_does_not_answer_is_an_error_not_a_fall_through(
    nothing: ConnectOptions, place: str, tmp_path: Path
) -> None:
    address = f"unix://{tmp_path}/gone.sock"
    options = (
        with_variable(nothing, DOCKER_HOST=address) if place == "DOCKER_HOST" else replace(nothing, host=address)
    )
    with pytest.raises(EngineUnavailable) as caught:
        connect(options)
    assert caught.value.where == address
    assert place in caught.value.message
    assert place in caught.value.remedy


def test_the_setting_wins_over_the_variable(nothing: ConnectOptions) -> None:
    with pytest.raises(EngineUnavailable) as caught:
        connect(replace(with_variable(nothing, DOCKER_HOST="unix:///other"), host="unix:///mine"))
    assert caught.value.where == "unix:///mine"


@pytest.mark.parametrize(
    "address",
    [
        "garbage",
        "tcp://",
        "ftp://x:1",
        "tcp://host",
        "fd://3",
        "ssh://",
        "ssh://h/path",
        "ssh://u:secret@h",
        "ssh://h:x",
    ],
)
def test_an_address_that_makes_no_sense_is_a_settings_fault(nothing: ConnectOptions, address: str) -> None:
    with pytest.raises(SettingsFault) as caught:
        connect(with_variable(nothing, DOCKER_HOST=address))
    assert caught.value.where == address


def test_a_tcp_engine_that_is_not_there(nothing: ConnectOptions) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        port = reserved.getsockname()[1]
        with pytest.raises(EngineUnavailable, match="DOCKER_HOST"):
            connect(with_variable(nothing, DOCKER_HOST=f"tcp://127.0.0.1:{port}"))


def test_tls_without_its_files_is_a_settings_fault(nothing: ConnectOptions, tmp_path: Path) -> None:
    variables = {"DOCKER_HOST": "tcp://127.0.0.1:1", "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}
    with pytest.raises(SettingsFault, match="TLS files"):
        connect(with_variable(nothing, **variables))


def test_a_default_socket_that_accepts_and_stays_silent_stops_the_search(nothing: ConnectOptions) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(nothing.docker_socket))
        server.listen()
        with pytest.raises(EngineUnavailable, match=r"no answer within 0\.2 s") as caught:
            connect(nothing)
    assert caught.value.where == f"unix://{nothing.docker_socket}"


def test_permission_denied_is_said_with_the_group(
    nothing: ConnectOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path, _timeout: float) -> Ping:
        return Ping(State.DENIED if path == nothing.docker_socket else State.ABSENT)

    monkeypatch.setattr(connection, "ping_socket", denied)
    with pytest.raises(EngineUnavailable, match="permission denied") as caught:
        connect(nothing)
    assert "usermod -aG docker" in caught.value.remedy


@pytest.mark.parametrize(
    ("preferred", "order"),
    [(None, "dpdpdp"), ("docker", "dddppp"), ("podman", "pppddd")],
)
def test_preference_moves_a_kind_forward_and_keeps_its_order(
    nothing: ConnectOptions, monkeypatch: pytest.MonkeyPatch, preferred: str | None, order: str
) -> None:
    asked: list[str] = []
    for name in ("_existing", "_running", "_started"):
        monkeypatch.setattr(connection, name, lambda kind, _search, name=name: asked.append(f"{kind[0]}{name}"))
    with pytest.raises(EngineUnavailable):
        connect(replace(nothing, preferred=preferred))
    assert "".join(step[0] for step in asked) == order
    for kind in "dp":
        mine = [step[1:] for step in asked if step[0] == kind]
        assert mine == ["_existing", "_running", "_started"]


def test_an_ssh_address_cannot_become_an_option() -> None:
    argv = ssh_argv("ssh://user@-oProxyCommand=evil:22")
    assert argv.index("--") < argv.index("-oProxyCommand=evil")
    assert argv[-3:] == ["docker", "system", "dial-stdio"]
    assert argv[argv.index("-l") + 1] == "user"
    assert argv[argv.index("-p") + 1] == "22"


@pytest.mark.parametrize("transport", ["tls", "ssh", "unix"])
def test_a_shorter_limit_keeps_transport_and_credentials(
    nothing: ConnectOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transport: str
) -> None:
    facts = {"Version": "27", "ApiVersion": "1.47", "Arch": "amd64"}
    monkeypatch.setattr(docker.DockerClient, "version", lambda *_, **__: facts)
    if transport == "unix":
        engine = dial.open_socket(tmp_path / "s", "1.47", "default socket", nothing)
    else:
        for name in ("ca.pem", "cert.pem", "key.pem"):
            (tmp_path / name).write_text("")
        address = "tcp://far:2376" if transport == "tls" else "ssh://me@far"
        endpoint = Endpoint(address, Credentials(tmp_path, verify=True) if transport == "tls" else None)
        engine = dial.open_engine(endpoint, "DOCKER_HOST", nothing)
    own = engine.with_timeout(4)
    try:
        assert own == replace(engine, client=own.client)
        assert own.client is not engine.client
        api, other = own.client.api, engine.client.api
        assert (api.timeout, other.timeout) == (4, nothing.request_seconds)
        assert (api.base_url, api.cert, api.verify) == (other.base_url, other.cert, other.verify)
        assert {name: type(one) for name, one in api.adapters.items()} == {
            name: type(one) for name, one in other.adapters.items()
        }
    finally:
        own.close()
        engine.close()


def test_an_engine_that_was_started_says_so_in_a_field(
    nothing: ConnectOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"Version": "27", "ApiVersion": "1.47", "Arch": "amd64"}
    monkeypatch.setattr(docker.DockerClient, "version", lambda *_, **__: facts)
    installed = Program("docker", "dockerd", lambda *_: [], True, "dockerd")
    monkeypatch.setattr(connection, "program_for", lambda *_: installed)
    for now in (True, False):
        answered = (Ping(State.ANSWERS, "", "1.47"), now)
        monkeypatch.setattr(connection, "start_private", lambda *_, answered=answered: answered)
        engine = connect(replace(nothing, may_start=True))
        engine.close()
        assert engine.started is now


def test_a_program_that_cannot_be_started_is_passed_over(
    nothing: ConnectOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise ProcessFailed("dockerd could not be started: Permission denied", remedy="install the program")

    installed = Program("docker", "dockerd", lambda *_: [], True, "dockerd")
    monkeypatch.setattr(connection, "program_for", lambda kind, _: installed if kind == "docker" else None)
    monkeypatch.setattr(connection, "start_private", fails)
    with pytest.raises(EngineUnavailable, match="dockerd could not be started: Permission denied"):
        connect(replace(nothing, may_start=True))


def test_the_engine_s_own_authority_wins_over_the_environment_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests would let REQUESTS_CA_BUNDLE replace the ``ca.pem`` that belongs to the engine's address."""
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/etc/other.pem")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    tls = dial._tls(Endpoint("tcp://far:2376", Credentials(tmp_path, verify=True)))
    client = dial._tcp_client("tcp://far:2376", "1.41", 1, tls)
    try:
        settings = client.api.merge_environment_settings(client.api.base_url, {}, None, None, None)
        assert settings["verify"] == str(tmp_path / "ca.pem")
        assert settings["cert"] == (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))
        assert settings["proxies"]["https"] == "http://proxy.example:3128"
    finally:
        client.close()
