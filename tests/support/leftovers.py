"""What a run must not leave behind, as the engine tells it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress

from images.environment import cache_directory
from sandbox.leftovers import KIND, OWNER_PROCESS, SANDBOX
from toolchain.core.containers import ContainerEngine
from toolchain.core.errors import MixpeekError


def sandboxes(engine: ContainerEngine, process: int | None = None) -> set[str]:
    """The sandboxes that a process (this one by default) has made and that are still there."""
    owner = f"{process or os.getpid()}:"
    found = engine.client.api.containers(all=True, filters={"label": f"{KIND}={SANDBOX}"})
    return {item["Id"] for item in found if item["Labels"][OWNER_PROCESS].startswith(owner)}


def forgotten_images(engine: ContainerEngine) -> set[str]:
    """Images that have lost their name and are not noted for removal by a later build (``images.retired``)."""
    nameless = {image["Id"] for image in engine.client.api.images(filters={"dangling": True})}
    noted = {f"sha256:{note.name}" for note in (cache_directory() / "retired").glob("*/*")}
    return nameless - noted


def eventually(condition: Callable[[], bool], seconds: float) -> bool:
    """Whether a condition comes true in time; an engine that does not answer just then is asked again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(MixpeekError):
            if condition():
                return True
        time.sleep(0.05)
    return False
