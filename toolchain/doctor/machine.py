"""The machine itself: Python, tools, disk."""

from __future__ import annotations

import platform
import shutil
import sys
from pathlib import Path

from toolchain.core import process
from toolchain.core.containers.advice import is_root, read_os_release
from toolchain.core.containers.programs import search_path
from toolchain.core.errors import MixpeekError
from toolchain.doctor.model import Check, Status, Surroundings, ok

_GIB = 1 << 30
# A base image, one dependency layer with torch and its wheels in the cache come to about 8 GB.
_COMFORTABLE = 10 * _GIB
_NEEDED = 1 * _GIB
_DEBIAN_FAMILY = frozenset({"debian", "ubuntu"})


def python(_: Surroundings) -> list[Check]:
    """The interpreter that runs the toolchain."""
    name = f"{platform.python_implementation()} {platform.python_version()}"
    return [ok("python", f"{name}, {platform.system()} {platform.machine()}, {sys.executable}")]


def uv(surroundings: Surroundings) -> list[Check]:
    """The resolver and installer; it comes as a wheel with the toolchain."""
    remedy = "reinstall mixpeek: uv is one of its dependencies"
    try:
        from uv import find_uv_bin

        binary = find_uv_bin()
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv", path=search_path(surroundings.environment))
        if found is None:
            return [Check("uv", Status.ERROR, "not found", remedy)]
        binary = found
    try:
        asked = process.run([binary, "--version"], timeout=5)
    except MixpeekError as failure:
        return [Check("uv", Status.ERROR, failure.message, remedy)]
    if not asked.ok:
        return [Check("uv", Status.ERROR, f"{binary} ended with {asked.returncode}", remedy)]
    return [ok("uv", f"{asked.stdout.strip()}, {binary}")]


def disk(surroundings: Surroundings) -> list[Check]:
    """Free space where images and wheels go; an engine elsewhere keeps its own account."""
    places = {"cache": surroundings.cache}
    root = surroundings.info.get("DockerRootDir")
    if root and surroundings.engine is not None and surroundings.engine.local:
        places["images"] = Path(str(root))
    return [_free(name, path) for name, path in sorted(places.items())]


def mmdebstrap_installed(surroundings: Surroundings) -> str | None:
    """The program that makes a base image from the distribution's packages."""
    return shutil.which("mmdebstrap", path=search_path(surroundings.environment))


def mmdebstrap_remedy(release: Path = Path("/etc/os-release")) -> str:
    """How to get it; it exists for Debian and its children only."""
    facts = read_os_release(release)
    if _DEBIAN_FAMILY.isdisjoint({facts.get("ID", ""), *facts.get("ID_LIKE", "").split()}):
        return "make an image registry reachable (HTTPS_PROXY for the engine, or MIXPEEK_BASE_IMAGE for a mirror)"
    return f"run `{'' if is_root() else 'sudo '}apt-get install --no-install-recommends mmdebstrap`"


def _free(name: str, path: Path) -> Check:
    existing = next(folder for folder in (path, *path.parents) if _exists(folder))
    free = shutil.disk_usage(existing).free
    detail = f"{free / _GIB:.1f} GiB free in {path}"
    if free < _NEEDED:
        return Check(f"disk-{name}", Status.ERROR, detail, f"free some space: at least {_NEEDED / _GIB:g} GiB")
    if free < _COMFORTABLE:
        remedy = f"free some space: images with large models want {_COMFORTABLE / _GIB:g} GiB"
        return Check(f"disk-{name}", Status.WARNING, detail, remedy)
    return ok(f"disk-{name}", detail)


def _exists(folder: Path) -> bool:
    """Like ``Path.exists``; a folder that we may not look into (the engine's, to a user) counts as not there."""
    try:
        return folder.exists()
    except PermissionError:
        return False
