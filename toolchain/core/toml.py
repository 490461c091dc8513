"""TOML on every Python that we support."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def parse_toml(data: bytes) -> dict[str, Any]:
    """The document in ``data``.

    Raises ``ValueError`` for what is not TOML in UTF-8, with line and column, or is nested past any use.
    """
    try:
        document: dict[str, Any] = tomllib.loads(data.decode())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    return document
