"""The engine programs we may start, and their arguments."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain.core.containers.advice import is_root
from toolchain.core.containers.model import EngineKind
from toolchain.core.containers.paths import PrivatePaths

# A user's PATH often lacks the folders that distributions put daemons in.
_DAEMON_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")
_SHARED_SETTINGS = (
    "runtimes",
    "registry-mirrors",
    "insecure-registries",
    "proxies",
    "storage-driver",
    "storage-opts",
)
_GVISOR = "runsc"
_IDLE_SECONDS = 600
_HYBRID_CONTROLLERS = Path("/sys/fs/cgroup/unified/cgroup.controllers")

Arguments = Callable[[PrivatePaths], list[str]]


@dataclass(frozen=True)
class Program:
    """An installed engine program: ``argv(paths)`` makes its command line.

    ``configuration`` is the text of its configuration file, empty for none; ``note`` is a sentence on a limit the
    started engine will have; ``by_hand`` is what a user would type.
    """

    kind: EngineKind
    name: str
    argv: Arguments
    writes_pidfile: bool
    by_hand: str
    configuration: str = ""
    note: str = ""
    path: str = ""

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        """The caller's environment without what would point the daemon at another engine."""
        kept = {
            key: value for key, value in environment.items() if not key.startswith(("DOCKER_", "CONTAINER_HOST"))
        }
        return kept | {"PATH": self.path}


def program_for(kind: EngineKind, environment: Mapping[str, str]) -> Program | None:
    """The program of this kind if it is installed and this user may start it, else ``None``."""
    if sys.platform != "linux":
        return None
    path = search_path(environment)
    if kind == "docker":
        found = shutil.which("dockerd", path=path)
        return _dockerd(found, path) if found and is_root() else None
    found = shutil.which("podman", path=path)
    return _podman(found, path) if found else None


def search_path(environment: Mapping[str, str]) -> str:
    """``PATH`` with the daemons' folders added."""
    return os.pathsep.join([environment.get("PATH", os.defpath), *_DAEMON_FOLDERS])


def _dockerd(dockerd: str, path: str) -> Program:
    # `--bridge=none` makes dockerd delete the docker0 it finds, even one that another dockerd is using. In a
    # network namespace of its own it finds none; its price is that this dockerd cannot pull.
    isolated = _another_dockerd_runs()
    prefix = ["unshare", "--net"] if isolated else []

    def argv(paths: PrivatePaths) -> list[str]:
        return [
            *prefix, dockerd,
            f"--host=unix://{paths.socket}", "--group=root",
            f"--data-root={paths.data}", f"--exec-root={paths.exec_root}", f"--pidfile={paths.pidfile}",
            f"--config-file={paths.configuration}",
            # Our containers never get a network, so nothing of it is set up or changed on the host.
            "--bridge=none", "--iptables=false", "--ip-masq=false", "--ip-forward=false",
            # Should it share a system containerd, its containers stay apart from the other engine's.
            "--containerd-namespace=mixpeek", "--containerd-plugins-namespace=mixpeek-plugins",
            "--log-level=warn",
        ]  # fmt: skip

    note = (
        "another dockerd runs here, so ours has a network namespace of its own: it cannot pull images"
        if isolated
        else ""
    )
    by_hand = "dockerd"
    configuration = _docker_configuration(shutil.which(_GVISOR, path=path))
    return Program("docker", "dockerd", argv, True, by_hand, configuration, note, path)


def _docker_configuration(gvisor: str | None, system: Path = Path("/etc/docker/daemon.json")) -> str:
    """The system's settings that a second dockerd may share (runtimes, the ways to registries), and gVisor.

    Without a file of its own it would read the system's and refuse whatever that sets and our flags set too.
    ``gvisor`` is the runtime's program where it is installed; the system's own way to start it comes first.
    """
    try:
        settings = json.loads(system.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        settings = {}
    shared = {key: settings[key] for key in _SHARED_SETTINGS if key in settings}
    if gvisor is not None:
        # gVisor ignores the profile that the engine hands it unless told to enforce it on its own system calls.
        ours = {_GVISOR: {"path": gvisor, "runtimeArgs": ["--network=none", "--oci-seccomp"]}}
        shared["runtimes"] = ours | shared.get("runtimes", {})
    return json.dumps(shared)


def _podman(podman: str, path: str) -> Program:
    def argv(paths: PrivatePaths) -> list[str]:
        service = ["system", "service", f"--time={_IDLE_SECONDS}", f"unix://{paths.socket}"]
        return _runtime_prefix(podman, path, hybrid=_hybrid_cgroups()) + service

    by_hand = "podman system service --time=0 unix:///tmp/podman.sock"
    return Program("podman", "podman", argv, False, by_hand, path=path)


def _runtime_prefix(podman: str, path: str, *, hybrid: bool) -> list[str]:
    """``podman`` with a runtime that works here.

    On a hybrid hierarchy (v1 with controllers left in v2) crun 1.8 refuses every container: "cgroups in hybrid
    mode not supported". runc takes it; without runc the v2 tree is hidden in a mount namespace of podman's own.
    """
    if not hybrid:
        return [podman]
    if shutil.which("runc", path=path):
        return [podman, "--runtime", "runc"]
    if not is_root():
        return [podman]
    hide = f'umount {_HYBRID_CONTROLLERS.parent} && exec "$0" "$@"'
    return ["unshare", "--mount", "sh", "-c", hide, podman]


def _hybrid_cgroups() -> bool:
    try:
        return bool(_HYBRID_CONTROLLERS.read_text().strip())
    except OSError:
        return False


def _another_dockerd_runs() -> bool:
    """Whether a dockerd lives in our network namespace, whatever socket it listens on."""
    here = _network_namespace("self")
    return any(
        _network_namespace(folder.name) == here
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit() and _command_name(folder) == "dockerd"
    )


def _command_name(folder: Path) -> str:
    try:
        return (folder / "comm").read_text().strip()
    except OSError:
        return ""


def _network_namespace(pid: str) -> str:
    try:
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    except OSError:
        return ""
