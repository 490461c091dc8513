"""What we would start, where, and what we tell somebody who has nothing to start."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolchain.core import process
from toolchain.core.containers import advice, paths, private, programs
from toolchain.core.containers.options import ConnectOptions
from toolchain.core.containers.paths import PrivatePaths
from toolchain.core.errors import EngineUnavailable, ProcessFailed


def program(directory: Path, name: str) -> None:
    path = directory / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole search path."""
    monkeypatch.setattr(programs, "_DAEMON_FOLDERS", ())
    monkeypatch.setattr(programs, "is_root", lambda: True)
    monkeypatch.setattr(programs.sys, "platform", "linux")
    return tmp_path


def argv(found: programs.Program | None) -> list[str]:
    assert found is not None
    return found.argv(
        PrivatePaths(
            data=Path("/d"),
            run=Path("/r"),
            log=Path("/log"),
            lock=Path("/lock"),
            pidfile=Path("/r/pid"),
            socket=Path("/r/s"),
            configuration=Path("/r/json"),
            exec_root=Path("/r/exec"),
        )
    )


def test_nothing_installed(only: Path) -> None:
    assert programs.program_for("docker", {"PATH": str(only)}) is None
    assert programs.program_for("podman", {"PATH": str(only)}) is None


def test_dockerd_is_for_root_only(only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(only, "dockerd")
    monkeypatch.setattr(programs, "is_root", lambda: False)
    assert programs.program_for("docker", {"PATH": str(only)}) is None


@pytest.mark.parametrize("another", [False, True])
def test_dockerd_touches_no_network_and_hides_from_another(
    only: Path, monkeypatch: pytest.MonkeyPatch, another: bool
) -> None:
    program(only, "dockerd")
    monkeypatch.setattr(programs, "_another_dockerd_runs", lambda: another)
    found = programs.program_for("docker", {"PATH": str(only)})
    command = argv(found)
    assert {"--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false"} <= set(command)
    assert {
        "--host=unix:///r/s",
        "--data-root=/d",
        "--exec-root=/r/exec",
        "--pidfile=/r/pid",
        "--config-file=/r/json",
    } <= set(command)
    assert (command[:2] == ["unshare", "--net"]) is another
    assert found is not None
    assert ("cannot pull" in found.note) is another


def test_a_second_dockerd_shares_runtimes_but_not_what_our_flags_set(tmp_path: Path) -> None:
    system = tmp_path / "daemon.json"
    assert programs._docker_configuration(None, system) == "{}"
    system.write_text('{"runtimes": {"runsc": {"path": "/r"}}, "data-root": "/x", "hosts": ["tcp://0.0.0.0:1"]}')
    assert json.loads(programs._docker_configuration(None, system)) == {"runtimes": {"runsc": {"path": "/r"}}}
    system.write_text("{")
    assert programs._docker_configuration(None, system) == "{}"


def test_gvisor_is_registered_where_it_is_installed_unless_the_system_does_so_itself(tmp_path: Path) -> None:
    system = tmp_path / "daemon.json"
    ours = json.loads(programs._docker_configuration("/usr/bin/runsc", system))["runtimes"]["runsc"]
    assert ours["path"] == "/usr/bin/runsc"
    assert "--oci-seccomp" in ours["runtimeArgs"]
    system.write_text('{"runtimes": {"runsc": {"path": "/r"}, "other": {"path": "/o"}}}')
    shared = json.loads(programs._docker_configuration("/usr/bin/runsc", system))["runtimes"]
    assert shared == {"runsc": {"path": "/r"}, "other": {"path": "/o"}}


def test_the_daemon_does_not_inherit_another_engine_s_address(only: Path) -> None:
    program(only, "podman")
    found = programs.program_for("podman", {"PATH": str(only), "DOCKER_HOST": "tcp://x:1", "HTTPS_PROXY": "p"})
    assert found is not None
    environment = found.environment({"DOCKER_HOST": "tcp://x:1", "HTTPS_PROXY": "p"})
    assert environment == {"HTTPS_PROXY": "p", "PATH": str(only)}


@pytest.mark.parametrize(
    ("hybrid", "runc", "start"),
    [
        (False, True, ["podman", "system"]),
        (True, True, ["podman", "--runtime", "runc", "system"]),
        (True, False, ["unshare", "--mount", "sh"]),
    ],
)
def test_podman_gets_a_runtime_that_works_on_a_hybrid_hierarchy(
    only: Path, monkeypatch: pytest.MonkeyPatch, hybrid: bool, runc: bool, start: list[str]
) -> None:
    program(only, "podman")
    if runc:
        program(only, "runc")
    monkeypatch.setattr(programs, "_hybrid_cgroups", lambda: hybrid)
    command = [
        Path(part).name if part.startswith(str(only)) else part
        for part in argv(programs.program_for("podman", {"PATH": str(only)}))
    ]
    assert command[: len(start)] == start
    assert command[-1] == "unix:///r/s"
    assert "--time=600" in command


def test_a_long_state_folder_gets_a_short_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    options = ConnectOptions(environment={"MIXPEEK_STATE_DIR": str(deep), "XDG_RUNTIME_DIR": "/run/user/7"})
    places = paths.private_paths("docker", options)
    assert places.run.parent == Path("/run/user/7")
    assert len(bytes(places.run / "exec/containerd/containerd-debug.sock")) < 108
    assert places.data.is_relative_to(deep)
    assert places.run != paths.private_paths("podman", options).run


@pytest.mark.parametrize("content", ["", "no number", "999999999", "1"])
def test_a_stale_process_id_is_not_an_engine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    monkeypatch.setattr(paths, "_HOME_LIMIT", 1000)  # pytest's folders are long: keep the test out of /run
    options = ConnectOptions(environment={"MIXPEEK_STATE_DIR": str(tmp_path)})
    places = paths.private_paths("docker", options)
    places.pidfile.parent.mkdir(parents=True)
    assert places.pidfile.is_relative_to(tmp_path)
    places.pidfile.write_text(content)
    assert private.private_pid(places) is None
    assert private.stop_private_engine(options) == ()
    assert not places.run.exists()


@pytest.mark.parametrize("name", ["state", "state/engine/docker/start.lock"])
def test_a_state_folder_that_cannot_be_written_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Root may write anywhere, so something else is in the way: a file for a folder, a folder for a file."""
    monkeypatch.setattr(paths, "_HOME_LIMIT", 1000)
    if name == "state":
        (tmp_path / name).write_text("")
    else:
        (tmp_path / name).mkdir(parents=True)
    options = ConnectOptions(environment={"MIXPEEK_STATE_DIR": str(tmp_path / "state")})
    dockerd = programs.Program("docker", "dockerd", lambda *_: [], True, "dockerd")
    with pytest.raises(EngineUnavailable, match="cannot be written") as caught:
        private.start_private(dockerd, options)
    assert str(caught.value.where).startswith(str(tmp_path / name))
    assert "MIXPEEK_STATE_DIR" in caught.value.remedy


@pytest.mark.parametrize("fault", [FileNotFoundError(2, "No such file or directory"), PermissionError(13, "no")])
def test_a_daemon_that_cannot_be_started_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: OSError
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise fault

    monkeypatch.setattr(process.subprocess, "Popen", fails)
    with pytest.raises(ProcessFailed, match=f"dockerd could not be started: {fault.strerror}") as caught:
        process.start_daemon(["/usr/sbin/dockerd"], log=tmp_path / "log")
    assert caught.value.where == "/usr/sbin/dockerd"


def test_a_daemon_s_log_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProcessFailed, match="Is a directory") as caught:
        process.start_daemon(["dockerd"], log=tmp_path)
    assert caught.value.where == str(tmp_path)


def test_a_run_folder_open_to_others_is_refused(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    with pytest.raises(EngineUnavailable, match="open to others"):
        paths.require_own(shared)
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(EngineUnavailable):
        paths.require_own(link)


@pytest.mark.parametrize(
    ("release", "words"),
    [
        ("ID=debian\n", "apt-get install --no-install-recommends docker.io iptables"),
        ('ID="ubuntu"\nID_LIKE=debian\n', "apt-get install"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'\n", "apt-get install"),
        ("# c\nID=fedora\n", "dnf install moby-engine"),
        ('ID="rocky"\nID_LIKE="rhel centos fedora"\n', "dnf install podman"),
        ("ID=arch\n", "pacman -S docker"),
        ("ID=alpine\n", "apk add docker"),
        ('ID="opensuse-leap"\nID_LIKE="suse opensuse"\n', "zypper install docker"),
        ("ID=plan9\n", "https://docs.docker.com/engine/install/"),
    ],
)
def test_the_install_line_of_the_distribution(tmp_path: Path, release: str, words: str) -> None:
    path = tmp_path / "os-release"
    path.write_text(release)
    assert words in advice.install_remedy(system="Linux", os_release=path)


def test_other_systems_have_their_own_line(tmp_path: Path) -> None:
    assert "colima" in advice.install_remedy(system="Darwin")
    assert "WSL 2" in advice.install_remedy(system="Windows")
    assert "docs.docker.com" in advice.install_remedy(system="Linux", os_release=tmp_path / "none")
