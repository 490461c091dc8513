"""The cascade against real engines: the machine's own, private ones, podman, tcp, TLS and ssh."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from toolchain.core.containers import (
    ConnectOptions,
    ContainerEngine,
    connect,
    connection,
    engine_errors,
    options_from_environment,
    running_private_engines,
    stop_private_engine,
)
from toolchain.core.containers.paths import private_paths
from toolchain.core.containers.private import start_private
from toolchain.core.containers.probe import Ping
from toolchain.core.containers.programs import program_for
from toolchain.core.errors import EngineRefused, EngineUnavailable

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def machine() -> Iterator[ContainerEngine]:
    """The engine of this machine, started if need be."""
    engine = connect(options_from_environment())
    yield engine
    engine.close()


@pytest.fixture
def lonely(tmp_path: Path) -> Iterator[ConnectOptions]:
    """Options that see none of the machine's engines and keep their own elsewhere; ends what they started."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "XDG_"))}
    environment = plain | {
        "HOME": str(tmp_path),
        "MIXPEEK_STATE_DIR": str(tmp_path / "state"),
        "XDG_RUNTIME_DIR": str(tmp_path / "runtime"),
    }
    (tmp_path / "runtime").mkdir(mode=0o700)
    nowhere = tmp_path / "nowhere.sock"
    options = ConnectOptions(environment=environment, docker_socket=nowhere, podman_socket=nowhere)
    yield options
    stop_private_engine(options)


def with_variables(options: ConnectOptions, **variables: str) -> ConnectOptions:
    return replace(options, environment={**options.environment, **variables})


def socket_of(engine: ContainerEngine) -> Path:
    if not engine.address.startswith("unix://"):
        pytest.fail(f"these tests need an engine on a unix socket, not {engine.address}")
    return Path(engine.address.removeprefix("unix://"))


@contextmanager
def opened(options: ConnectOptions) -> Iterator[ContainerEngine]:
    engine = connect(options)
    try:
        yield engine
    finally:
        engine.close()


def test_the_default_socket(machine: ContainerEngine, lonely: ConnectOptions) -> None:
    with opened(replace(lonely, docker_socket=socket_of(machine), may_start=False)) as engine:
        assert engine.found == "default socket"
        assert engine.kind == machine.kind
        assert engine.local
        assert engine.client.ping()
        assert engine.notes == ()


def test_the_cascade_costs_one_ping_and_one_request_on_a_healthy_machine(
    machine: ContainerEngine, lonely: ConnectOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real_ping, real_send = connection.ping_socket, requests.Session.send

    def ping(path: Path, timeout: float) -> Ping:
        asked.append("ping")
        return real_ping(path, timeout)

    def send(self: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        asked.append(request.path_url.rpartition("/")[2])
        return real_send(self, request, **options)

    monkeypatch.setattr(connection, "ping_socket", ping)
    monkeypatch.setattr(requests.Session, "send", send)
    connect(replace(lonely, docker_socket=socket_of(machine), may_start=False)).close()
    assert asked == ["ping", "version"]


def test_docker_host(machine: ContainerEngine, lonely: ConnectOptions) -> None:
    with opened(with_variables(lonely, DOCKER_HOST=machine.address)) as engine:
        assert engine.found == "DOCKER_HOST"
        assert engine.client.ping()


def test_a_docker_context(machine: ContainerEngine, lonely: ConnectOptions, tmp_path: Path) -> None:
    meta = tmp_path / ".docker/contexts/meta" / hashlib.sha256(b"mine").hexdigest()
    meta.mkdir(parents=True)
    endpoints = {"docker": {"Host": machine.address, "SkipTLSVerify": False}}
    (meta / "meta.json").write_text(json.dumps({"Name": "mine", "Metadata": {}, "Endpoints": endpoints}))
    (tmp_path / ".docker/config.json").write_text('{"currentContext": "mine"}')
    with opened(lonely) as engine:
        assert engine.found == "docker context mine"
        assert engine.client.ping()


def test_a_dead_default_socket_is_passed_over(lonely: ConnectOptions, tmp_path: Path) -> None:
    dead = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(dead))
    with opened(replace(lonely, docker_socket=dead)) as engine:
        assert engine.found.endswith("(started)")


def test_an_engine_over_tcp_is_remote(machine: ContainerEngine, lonely: ConnectOptions) -> None:
    with (
        forwarded(socket_of(machine)) as port,
        opened(with_variables(lonely, DOCKER_HOST=f"tcp://127.0.0.1:{port}")) as engine,
    ):
        assert not engine.local
        assert engine.version == machine.version


def test_a_tcp_peer_that_accepts_and_stays_silent_times_out(lonely: ConnectOptions) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        started = time.monotonic()
        with pytest.raises(EngineUnavailable, match="in time"):
            connect(with_variables(replace(lonely, ping_seconds=1.0), DOCKER_HOST=address))
        assert time.monotonic() - started < 30, "a ping's limit, not a request's of 60 s"


def test_an_engine_over_ssh(
    machine: ContainerEngine, lonely: ConnectOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ssh is stood in for by a program that does what `docker system dial-stdio` does; the engine is real."""
    fake_ssh(tmp_path / "bin", socket_of(machine))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with opened(with_variables(lonely, DOCKER_HOST="ssh://me@far:2222")) as engine:
        assert not engine.local
        assert engine.version == machine.version
        for _ in range(3):
            engine.client.info()
        assert (tmp_path / "bin/calls").read_text().splitlines() == [
            "-T -o ConnectTimeout=10 -l me -p 2222 -- far docker system dial-stdio"
        ] * 2  # one for the first request, one kept alive for all the others


def test_a_shorter_limit_keeps_the_way_to_the_engine(
    machine: ContainerEngine, lonely: ConnectOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_ssh(tmp_path / "bin", socket_of(machine))
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with opened(with_variables(lonely, DOCKER_HOST="ssh://me@far:2222")) as engine:
        own = engine.with_timeout(20)
        try:
            assert own.client.api.timeout == 20
            assert own.client.ping()
        finally:
            own.close()
        assert engine.client.ping()


def test_an_ssh_that_fails_is_an_engine_that_is_gone(
    lonely: ConnectOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin/ssh", "#!/bin/sh\nexit 255\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    with pytest.raises(EngineUnavailable, match="ssh://far"):
        connect(with_variables(lonely, DOCKER_HOST="ssh://far"))


class TestPrivateDockerd:
    """A dockerd of our own, really started, beside whatever else runs here."""

    def test_started_found_again_and_stopped(self, lonely: ConnectOptions) -> None:
        options = replace(lonely, preferred="docker")
        before = docker_bridge()
        with opened(options) as engine:
            assert engine.found == "private dockerd (started)"
            assert engine.client.ping()
            assert stat.S_IMODE(socket_of(engine).stat().st_mode) == 0o600
            assert stat.S_IMODE(socket_of(engine).parent.stat().st_mode) == 0o700
            assert [network.name for network in engine.client.networks.list()].count("bridge") == 0
        assert docker_bridge() == before, "the other engine's docker0 must survive"
        with opened(options) as again:
            assert again.found == "private dockerd (running)"
        (running,) = running_private_engines(options)
        (stopped,) = stop_private_engine(options)
        assert (stopped.pid, stopped.killed) == (running.pid, False)
        assert not Path(f"/proc/{stopped.pid}/root").exists()
        assert running_private_engines(options) == ()
        assert stop_private_engine(options) == ()
        places = private_paths("docker", options)
        assert not places.run.exists()
        assert places.data.is_dir(), "images stay"

    def test_it_survives_the_program_that_started_it(self, lonely: ConnectOptions) -> None:
        options = replace(lonely, preferred="docker")
        (found,) = connect_in_processes(1, options)
        assert found == "private dockerd (started)"
        with opened(options) as engine:
            assert engine.found == "private dockerd (running)"

    def test_programs_at_once_start_one(self, lonely: ConnectOptions) -> None:
        found = connect_in_processes(4, replace(lonely, preferred="docker"))
        assert sorted(found) == ["private dockerd (running)"] * 3 + ["private dockerd (started)"]

    def test_a_crash_leaves_nothing_in_the_way(self, lonely: ConnectOptions) -> None:
        options = replace(lonely, preferred="docker")
        connect(options).close()
        (running,) = running_private_engines(options)
        assert str(private_paths("docker", options).data) in Path("/proc/self/mountinfo").read_text()
        os.killpg(running.pid, 9)
        with suppress(ChildProcessError):
            os.waitpid(running.pid, 0)
        # A number that now belongs to somebody else makes dockerd refuse: "process with PID 1 is still running".
        paths = private_paths("docker", options)
        paths.pidfile.write_text("1")
        (paths.run / "exec/containerd/containerd.pid").write_text("1")
        with opened(options) as engine:
            assert engine.found == "private dockerd (started)"
        stop_private_engine(options)
        assert str(paths.data) not in Path("/proc/self/mountinfo").read_text()

    def test_a_failed_start_shows_the_log(self, lonely: ConnectOptions) -> None:
        data = private_paths("docker", lonely).data
        data.parent.mkdir(parents=True)
        data.write_text("a file where a folder should be")
        dockerd = program_for("docker", lonely.environment)
        assert dockerd is not None
        with pytest.raises(EngineUnavailable, match="dockerd ended at once") as caught:
            start_private(dockerd, lonely)
        assert str(data) in caught.value.message
        assert running_private_engines(lonely) == ()

    def test_a_long_state_folder_still_gets_an_engine(self, lonely: ConnectOptions, tmp_path: Path) -> None:
        options = with_variables(
            replace(lonely, preferred="docker"), MIXPEEK_STATE_DIR=str(tmp_path / ("d" * 120))
        )
        try:
            with opened(options) as engine:
                assert engine.found == "private dockerd (started)"
        finally:
            stop_private_engine(options)
        assert not private_paths("docker", options).run.exists()

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
    def test_the_engine_that_dies_is_told_from_one_that_refuses(self, lonely: ConnectOptions) -> None:
        options = replace(lonely, preferred="docker")
        with opened(options) as engine:
            with pytest.raises(EngineRefused, match="No such container"), engine_errors("look"):
                engine.client.containers.get("none")
            (running,) = running_private_engines(options)
            os.kill(running.pid, signal.SIGSTOP)
            engine.client.api.timeout = 1
            with pytest.raises(EngineUnavailable, match="in time"), engine_errors("ask"):
                engine.client.info()
            os.kill(running.pid, signal.SIGCONT)
            engine.client.api.timeout = 10
            stop_private_engine(options)
            with pytest.raises(EngineUnavailable, match="no such file"), engine_errors("ask"):
                engine.client.ping()
        gc.collect()  # the SDK leaves a socket that it could not connect to the collector: have it warn here


class TestPodman:
    """`podman system service`, the user's own and the one we start."""

    def test_started_found_again_and_stopped(self, lonely: ConnectOptions) -> None:
        options = replace(lonely, preferred="podman")
        with opened(options) as engine:
            assert (engine.kind, engine.found) == ("podman", "private podman service (started)")
            assert engine.client.ping()
        with opened(options) as again:
            assert again.found == "private podman service (running)"
        assert [stopped.kind for stopped in stop_private_engine(options)] == ["podman"]

    def test_a_podman_socket(self, lonely: ConnectOptions) -> None:
        with opened(replace(lonely, preferred="podman")) as private:
            place = socket_of(private)
            with opened(replace(lonely, podman_socket=place, may_start=False)) as engine:
                assert (engine.kind, engine.found) == ("podman", "podman socket")


def docker_bridge() -> bool:
    return Path("/sys/class/net/docker0").exists()


def connect_in_processes(count: int, options: ConnectOptions) -> list[str]:
    """What ``count`` programs started at once say they found."""
    code = textwrap.dedent("""
        import sys
        from pathlib import Path
        from toolchain.core.containers import ConnectOptions, connect
        import os
        nowhere = Path(sys.argv[1])
        options = ConnectOptions(environment=dict(os.environ), docker_socket=nowhere, podman_socket=nowhere,
                                 preferred="docker")
        engine = connect(options)
        print(engine.found)
        engine.close()
    """)

    def one(_: int) -> str:
        argv = [sys.executable, "-c", code, str(options.docker_socket)]
        return subprocess.run(
            argv, env=dict(options.environment), capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


@contextmanager
def forwarded(path: Path) -> Iterator[int]:
    """A tcp port on the loopback that leads to a unix socket, as an engine with ``-H tcp://`` would offer."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    visitor, _ = server.accept()
                    threading.Thread(target=_couple, args=(visitor, path), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def _couple(visitor: socket.socket, path: Path) -> None:
    with visitor, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as engine:
        engine.connect(str(path))
        back = threading.Thread(target=_pump, args=(engine, visitor), daemon=True)
        back.start()
        _pump(visitor, engine)
        back.join(5)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(1 << 16):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def fake_ssh(folder: Path, path: Path) -> None:
    folder.mkdir()
    program(
        folder / "ssh",
        textwrap.dedent(f"""\
            #!{sys.executable}
            import socket, sys, threading, os
            open({str(folder / "calls")!r}, "a").write(" ".join(sys.argv[1:]) + "\\n")
            engine = socket.socket(socket.AF_UNIX)
            engine.connect({str(path)!r})
            def up():
                while chunk := os.read(0, 65536):
                    engine.sendall(chunk)
                engine.shutdown(socket.SHUT_WR)
            threading.Thread(target=up, daemon=True).start()
            while chunk := engine.recv(65536):
                os.write(1, chunk)
        """),
    )
