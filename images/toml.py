"""TOML, by the standard library's reader or its twin for Python 3.10."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


class TomlFault(ValueError):
    """The text is not TOML; the message says where."""


def read_toml(text: str) -> dict[str, Any]:
    """The document in ``text``. Raises ``TomlFault``."""
    # By name, so that type checkers under either Python need stubs for neither.
    reader = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        document: dict[str, Any] = reader.loads(text)
    except ValueError as reason:
        raise TomlFault(str(reason)) from None
    return document
