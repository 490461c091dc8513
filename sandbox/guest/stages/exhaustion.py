"""Takes memory until the kernel ends this stage, or the container with it."""

from __future__ import annotations

from typing import Any

from sandbox.guest.probes.limits import MEMORY
from sandbox.guest.stages import StageContext


def run(context: StageContext) -> tuple[dict[str, Any], bytes]:
    """Return only where there is no limit; then the result holds how far it got."""
    context.emit(MEMORY.id)
    return {"outcome": MEMORY.attempt()}, b""
