"""What a given engine wants to hear where engines differ."""

from __future__ import annotations

import secrets

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
    folder = state_dir(options_from_environment().environment) / "seccomp"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{profile_digest(profile)}.json"
    if not path.exists():
        partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    return Dialect(str(path), scratch_inodes=False, devices=devices)
