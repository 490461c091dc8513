"""A distribution's root file system from its own packages, where no registry answers."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Final

from images.base.normalise import normalised
from images.environment import network_variables, program_path
from images.files import Cache
from images.image_config import ImageConfig, layer_of
from images.layout import LAYOUT_VERSION
from toolchain.core.digests import sha256_json
from toolchain.core.errors import ImageUnavailable, NetworkUnavailable
from toolchain.core.process import Completed, run
from toolchain.core.tarball import file_part

SUITE: Final = "bookworm"
# Python's standard library and what wheels link against; a shell and coreutils because tests call them.
PACKAGES: Final = (
    "base-files",
    "base-passwd",
    "coreutils",
    "dash",
    "libc-bin",
    "libgomp1",
    "libstdc++6",
    "python3",
)
_EXCLUDED: Final = ("doc", "info", "lintian", "locale", "man", "bug", "pixmaps", "gdb")
_DEADLINE: Final = 900.0
_OTHER_IMAGE: Final = "set MIXPEEK_BASE_IMAGE to an image that the engine can pull"


def make_rootfs(architecture: str, cache: Cache, *, refresh: bool = False) -> ImageConfig:
    """The root file system for ``architecture`` as an image of one layer, made once and kept in the cache.

    Takes about 8 s here. Raises ``ImageUnavailable`` when mmdebstrap is missing or fails, ``NetworkUnavailable``
    when the package mirror does not answer.
    """
    program = shutil.which("mmdebstrap", path=program_path())
    tar = cache.root / "rootfs" / f"{sha256_json([LAYOUT_VERSION, SUITE, PACKAGES, _EXCLUDED, architecture])}.tar"
    with cache.lock("rootfs"):
        if refresh or not tar.is_file():
            if program is None:
                raise ImageUnavailable(
                    "no registry gave a base image, and mmdebstrap, which makes one from packages, is missing",
                    remedy=f"apt-get install --no-install-recommends mmdebstrap, or {_OTHER_IMAGE}",
                )
            _run(program, architecture, tar, cache)
    return ImageConfig(architecture, (layer_of("distribution", (file_part(tar),)),), {}, {})


def _run(program: str, architecture: str, tar: Path, cache: Cache) -> None:
    with tempfile.TemporaryDirectory(prefix="mixpeek-rootfs-") as folder:
        raw = Path(folder) / "rootfs.tar"
        completed = run(
            _command(program, architecture, raw), timeout=_DEADLINE, env=_environment(), cwd=Path(folder)
        )
        if not completed.ok or not raw.is_file():
            raise _failure(completed)
        with cache.replacing(tar) as stream:
            normalised([raw], stream)


def _command(program: str, architecture: str, target: Path) -> list[str]:
    excluded = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _EXCLUDED]
    return [
        program,
        "--quiet",
        # Extracted, not installed: no package script runs, no emulation is needed for another architecture, and
        # neither apt nor perl is in the image (64 MB against 154 MB for the smallest installed variant).
        "--variant=extract",
        "--components=main",
        f"--architectures={architecture}",
        f"--include={','.join(PACKAGES)}",
        *excluded,
        SUITE,
        str(target),
    ]


def _environment() -> dict[str, str]:
    return {**network_variables(), "PATH": program_path(), "SOURCE_DATE_EPOCH": "0", "LC_ALL": "C"}


def _failure(completed: Completed) -> Exception:
    lines = [line for line in completed.stderr.splitlines() if line.startswith(("E:", "Err:", "W: Failed"))]
    said = "; ".join(lines[-3:]) or completed.stderr.strip()[-300:]
    if any(word in said for word in ("resolve", "connect", "Failed to fetch", "Temporary failure")):
        return NetworkUnavailable(
            f"the package mirror could not be reached: {said}",
            remedy=f"check the network and http_proxy, or {_OTHER_IMAGE}",
        )
    return ImageUnavailable(
        f"mmdebstrap could not make a base (exit {completed.returncode}): {said}",
        remedy="run as root or allow user namespaces, and install debian-archive-keyring on another distribution",
    )
