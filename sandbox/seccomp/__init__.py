"""The syscall allowlists, generated from one source with a reason for each group."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

from toolchain.core.digests import sha256_bytes
from toolchain.core.errors import EngineRefused


@cache
def profile_text(name: str) -> str:
    """The profile ``name`` as JSON text for the engine. A missing one is never an empty one.

    ``cpu`` and ``gpu`` stand alone; ``cpu-watched`` and ``gpu-watched`` are made from them for guests that install
    the inner filter (``sandbox.trace.outer``).
    """
    base, _, variant = name.partition("-")
    if variant == "watched":
        from sandbox.trace.outer import watched

        return json.dumps(watched(json.loads(profile_text(base))), indent=2) + "\n"
    try:
        return files(__package__).joinpath(f"{name}.json").read_text(encoding="utf-8")
    except FileNotFoundError:
        raise EngineRefused(
            f"the seccomp profile {name!r} is not part of this installation",
            remedy="reinstall mixpeek; a container is never started without its profile",
        ) from None


@cache
def profile_digest(name: str) -> str:
    """SHA-256 of the profile's bytes."""
    return sha256_bytes(profile_text(name).encode())
