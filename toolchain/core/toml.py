"""TOML on every Python that we support."""

from __future__ import annotations

import sys
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


def parse_toml(data: bytes) -> dict[str, Any]:
    """The document in ``data``. Raises ``ValueError`` with line and column for what is not TOML in UTF-8."""
    document: dict[str, Any] = tomllib.loads(data.decode())
    return document
