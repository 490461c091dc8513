"""What a given engine wants to hear where engines differ."""

from __future__ import annotations

import secrets
from pathlib import Path

from sandbox.device_words import device_words
from sandbox.launch import Dialect
from sandbox.seccomp import profile_digest, profile_text
from toolchain.core.containers import ContainerEngine, options_from_environment, state_dir
from toolchain.core.errors import EngineRefused


def dialect_for(engine: ContainerEngine, profile: str, *, gpus: bool = False) -> Dialect:
    """The words for ``engine`` and the seccomp profile called ``profile``; for podman the profile becomes a file.

    ``gpus`` says that devices will be asked for, which takes one more call. Raises ``EngineRefused`` for a remote
    podman, which could not read that file, for a missing profile, and for a podman that ignores devices.
    """
    text = profile_text(profile)
    devices = device_words(engine) if gpus else "nvidia"
    if engine.kind == "docker":
        return Dialect(text, devices=devices)
    if not engine.local:
        raise EngineRefused(
            "a remote podman takes a seccomp profile only from a file on its own machine",
            where=engine.address,
            remedy="use a podman on this machine, or a Docker Engine (DOCKER_HOST)",
        )
    path = _profile_file(text, f"{profile_digest(profile)}.json")
    # podman mounts these two by itself where the root is read-only, without limit and open to exec.
    return Dialect(str(path), scratch_inodes=False, own_mounts=("/run", "/var/tmp"), devices=devices)  # noqa: S108


def _profile_file(text: str, name: str) -> Path:
    """A file with exactly ``text``. One that is there is not believed: a plugin that once ran without the sandbox,
    as this user, may have written it."""
    folder = state_dir(options_from_environment().environment) / "seccomp"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / name
        if not (path.is_file() and path.read_text(encoding="utf-8") == text):
            partial = path.with_name(f"{name}.{secrets.token_hex(4)}")
            partial.write_text(text, encoding="utf-8")
            partial.replace(path)
    except (OSError, ValueError) as reason:
        raise EngineRefused(
            f"the seccomp profile cannot be written for podman: {reason}",
            where=str(folder),
            remedy="make the folder writable, or set MIXPEEK_STATE_DIR",
        ) from None
    return path
