"""What a given engine wants to hear where engines differ."""

from __future__ import annotations

import secrets
from pathlib import Path

from sandbox.device_words import device_words
from sandbox.launch import Dialect
from sandbox.policy import Policy
from sandbox.seccomp import profile_digest, profile_text
from toolchain.core.containers import ContainerEngine, engine_errors, options_from_environment, state_dir
from toolchain.core.errors import EngineRefused


def dialect_for(engine: ContainerEngine, policy: Policy) -> Dialect:
    """The words for ``engine`` and what ``policy`` needs of it; for podman the seccomp profile becomes a file.

    A policy with devices or a runtime of its own takes one more call. Raises ``EngineRefused`` for a remote
    podman, which could not read that file, for a missing profile, for a podman that ignores devices, and for an
    engine without the runtime.
    """
    text = profile_text(policy.profile)
    devices = device_words(engine) if policy.gpus else "nvidia"
    if policy.runtime is not None:
        require_runtime(engine, policy.runtime)
    if engine.kind == "docker":
        return Dialect(text, devices=devices)
    if not engine.local:
        raise EngineRefused(
            "a remote podman takes a seccomp profile only from a file on its own machine",
            where=engine.address,
            remedy="use a podman on this machine, or a Docker Engine (DOCKER_HOST)",
        )
    path = _profile_file(text, f"{profile_digest(policy.profile)}.json")
    # podman mounts these two by itself where the root is read-only, without limit and open to exec.
    return Dialect(str(path), scratch_inodes=False, own_mounts=("/run", "/var/tmp"), devices=devices)  # noqa: S108


def require_runtime(engine: ContainerEngine, runtime: str) -> None:
    """Raise ``EngineRefused`` unless ``engine`` can start containers with ``runtime``; its remedy says how to."""
    if engine.kind == "podman":
        # Tried with 4.3: the Docker-compatible API takes the field and starts the default runtime.
        raise EngineRefused(
            f"podman ignores the runtime {runtime} when it is asked for through its API",
            where=engine.address,
            remedy="use a Docker Engine (MIXPEEK_ENGINE=docker), or the default level",
        )
    with engine_errors("ask the engine about its runtimes"):
        known = engine.client.info().get("Runtimes") or {}
    if runtime not in known:
        remedy = f"install {runtime}; then `mixpeek engine stop` for an engine that mixpeek started, or else "
        remedy += f"`sudo {runtime} install` and a restart of the engine"
        raise EngineRefused(
            f"the engine has no runtime {runtime} (it has {', '.join(sorted(known)) or 'none'})",
            where=engine.address,
            remedy=remedy,
        )


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
