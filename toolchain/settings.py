"""One cascade for every setting: defaults, then the project's file, then the environment, then flags.

The project's file is ``[tool.mixpeek]`` in the plugin's own ``pyproject.toml``. A plugin may be hostile, so its
file may only set what concerns the plugin alone; where requests and keys go, and what confines the plugin, comes
from the user.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain.core.errors import PluginFault, ProjectSettingsFault
from toolchain.core.files import read_regular
from toolchain.core.toml import parse_toml

DEFAULT_BASE_URL = "https://api.mixpeek.com"
_FILE_LIMIT = 1 << 20


@dataclass(frozen=True)
class Field:
    """One setting: its environment variables, first wins, its default, and whether a project may set it."""

    variables: tuple[str, ...] = ()
    default: str | None = None
    project: bool = False
    secret: bool = False


FIELDS: Mapping[str, Field] = {
    # The second names are the ones that other published tools of the platform read.
    "api_key": Field(("MIXPEEK_API_KEY",), secret=True),
    "base_url": Field(("MIXPEEK_BASE_URL", "MIXPEEK_API_URL"), DEFAULT_BASE_URL),
    "namespace": Field(("MIXPEEK_NAMESPACE", "MIXPEEK_NAMESPACE_ID"), project=True),
    "sample_data": Field(project=True),
    "python": Field(("MIXPEEK_PYTHON",)),
}


@dataclass(frozen=True)
class Settings:
    """The values in force and, beside each, where it came from."""

    values: Mapping[str, str | None]
    origins: Mapping[str, str]

    def get(self, name: str) -> str | None:
        """The value of a setting; ``None`` when nothing sets it."""
        return self.values[name]

    def __repr__(self) -> str:
        """Everything but the secrets."""
        shown = {name: "***" if FIELDS[name].secret and value else value for name, value in self.values.items()}
        return f"Settings({shown})"


def resolve_settings(
    *, flags: Mapping[str, str | None], environment: Mapping[str, str], project: Path | None
) -> Settings:
    """The cascade's result for a plugin folder ``project`` (``None``: no project's file).

    Raises ``ProjectSettingsFault`` for a key that is unknown, or that a project may not set.
    """
    values: dict[str, str | None] = {name: field.default for name, field in FIELDS.items()}
    origins = dict.fromkeys(FIELDS, "default")
    layers = [
        ("pyproject.toml", _project_values(project) if project else {}),
        ("environment", _environment_values(environment)),
        ("command line", {name: value for name, value in flags.items() if value is not None}),
    ]
    for origin, layer in layers:
        for name, value in layer.items():
            values[name], origins[name] = value, origin
    return Settings(values, origins)


def _environment_values(environment: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for name, field in FIELDS.items():
        value = next((environment[variable] for variable in field.variables if environment.get(variable)), None)
        if value is not None:
            found[name] = value
    return found


def _project_values(project: Path) -> dict[str, str]:
    file = project / "pyproject.toml"
    try:
        document = parse_toml(read_regular(project, file.name, limit=_FILE_LIMIT))
    except (PluginFault, ValueError):
        return {}  # absent, or not TOML: the reader of requirements reports that with its line
    tools = document.get("tool")
    table = tools.get("mixpeek", {}) if isinstance(tools, dict) else {}
    if not isinstance(table, dict):
        raise ProjectSettingsFault(
            "[tool.mixpeek] is not a table", where=str(file), remedy="write [tool.mixpeek] and keys"
        )
    return {key.replace("-", "_"): _project_value(key, value, file) for key, value in table.items()}


def _project_value(key: str, value: Any, file: Path) -> str:
    allowed = [name for name, field in FIELDS.items() if field.project]
    name = key.replace("-", "_")
    if name in FIELDS and name not in allowed:
        raise ProjectSettingsFault(
            f"a plugin's own file may not set {key!r}",
            where=f"{file} [tool.mixpeek]",
            remedy=f"remove it; set {' or '.join(FIELDS[name].variables) or 'the option'} yourself",
        )
    if name not in allowed:
        near = difflib.get_close_matches(name, allowed, 1)
        raise ProjectSettingsFault(
            f"unknown key {key!r}",
            where=f"{file} [tool.mixpeek]",
            remedy=f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(allowed)}",
        )
    if not isinstance(value, str):
        raise ProjectSettingsFault(
            f"{key!r} must be text", where=f"{file} [tool.mixpeek]", remedy=f'write {key} = "…"'
        )
    return value
