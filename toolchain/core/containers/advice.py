"""How to get a container engine on this machine, in one line to paste."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from pathlib import Path

_GUIDE = "install Docker Engine (https://docs.docker.com/engine/install/) or Podman (https://podman.io)"

# iptables is only a recommendation of docker.io, yet dockerd does not start without it.
_LINES = {
    "debian": "apt-get install --no-install-recommends docker.io iptables",
    "ubuntu": "apt-get install --no-install-recommends docker.io iptables",
    "fedora": "dnf install moby-engine",
    "rhel": "dnf install podman",
    "centos": "dnf install podman",
    "arch": "pacman -S docker",
    "alpine": "apk add docker",
    "suse": "zypper install docker",
    "opensuse": "zypper install docker",
    "gentoo": "emerge app-containers/docker",
    "void": "xbps-install docker",
}


def install_remedy(*, system: str | None = None, os_release: Path = Path("/etc/os-release")) -> str:
    """The line that installs an engine here; ``system`` is ``platform.system()``'s name for the platform.

    The distribution comes from ``ID``, else the first known of ``ID_LIKE``.
    Source: https://www.freedesktop.org/software/systemd/man/latest/os-release.html
    """
    system = system or platform.system()
    if system == "Darwin":
        return "run `brew install colima docker && colima start`, or install Docker Desktop"
    if system == "Windows":
        return "install Docker Desktop with its WSL 2 back end and start it"
    line = _line_for(read_os_release(os_release))
    if line is None:
        return _GUIDE
    sudo = "" if is_root() else "sudo "
    return f"run `{sudo}{line}`"


def read_os_release(path: Path) -> dict[str, str]:
    """The assignments of an os-release file; empty when there is none."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip().strip("\"'") for key, _, value in pairs}


def is_root() -> bool:
    """Whether this process may start a rootful engine."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def _line_for(release: Mapping[str, str]) -> str | None:
    names = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((_LINES[name] for name in names if name in _LINES), None)
