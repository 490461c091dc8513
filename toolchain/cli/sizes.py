"""Sizes on the command line."""

from __future__ import annotations

import re

import click

_PATTERN = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


class Size(click.ParamType[int]):
    """``512m``, ``2g`` or ``1.5GiB`` as bytes, not under ``least``."""

    name = "size"

    def __init__(self, least: int) -> None:
        self._least = least

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Bytes."""
        if isinstance(value, int):
            return value
        match = _PATTERN.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no size; write 512m or 2g", param, ctx)
        size = int(float(match[1]) * _FACTORS[match[2].lower()])
        if size < self._least:
            self.fail(f"{value!r} is under the least, {self._least >> 20} MiB", param, ctx)
        return size


# In less, a container cannot even start Python.
MEMORY = Size(least=64 << 20)
