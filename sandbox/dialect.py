"""What a given engine wants to hear where engines differ."""

from __future__ import annotations

import secrets

from sandbox.launch import Dialect
from sandbox.seccomp import profile_digest, profile_text
from toolchain.core.containers import ContainerEngine, options_from_environment, state_dir
from toolchain.core.errors import EngineRefused


def dialect_for(engine: ContainerEngine, profile: str) -> Dialect:
    """The words for ``engine`` and the seccomp profile called ``profile``; for podman the profile becomes a file.

    Raises ``EngineRefused`` for a remote podman, which could not read that file, and for a missing profile.
    """
    text = profile_text(profile)
    if engine.kind == "docker":
        return Dialect(text)
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
    return Dialect(str(path), scratch_inodes=False)
