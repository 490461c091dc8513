"""How a command talks while it works."""

from __future__ import annotations

from toolchain.core.reporter import Reporter, SilentReporter, StreamReporter
from toolchain.core.visible import visible


def reporter(*, as_json: bool) -> Reporter:
    """Progress on stderr; silence where a program reads the result."""
    return SilentReporter() if as_json else StreamReporter(clean=visible)
