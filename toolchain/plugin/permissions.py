"""What a plugin says that it needs outside of itself: ``permissions`` in its manifest."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from toolchain.core.findings import Finding, error
from toolchain.plugin.manifest import UNKNOWN, Manifest

_KEYS = ("hosts", "executables", "environment")
_EXAMPLE = 'permissions = {"hosts": ["api.example.com:443"], "executables": ["ffmpeg"], "environment": ["NAME"]}'
_FORMS = {
    "hosts": re.compile(
        r"(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?\.)*[A-Za-z0-9_-]+(?::\d{1,5})?|\[[0-9A-Fa-f:.]+\](?::\d{1,5})?"
    ),
    "executables": re.compile(r"[A-Za-z0-9_.+-]+"),
    "environment": re.compile(r"[A-Za-z_][A-Za-z0-9_]*"),
}
_MEANINGS = {
    "hosts": "a name or address with or without a port, as in api.example.com:443",
    "executables": "the name of a program without its folder, as in ffmpeg",
    "environment": "the name of a variable",
}


@dataclass(frozen=True)
class Permissions:
    """What is declared. A host without a port is declared with every port."""

    hosts: tuple[str, ...] = ()
    executables: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = field(default=(), compare=False)

    def to_json(self) -> dict[str, list[str]]:
        """The declaration as it is recorded."""
        return {key: list(getattr(self, key)) for key in _KEYS}

    def allows_host(self, place: str) -> bool:
        """Whether connecting to ``host:port`` is declared."""
        return any(
            place == host or (_without_port(host) == host and _without_port(place) == host) for host in self.hosts
        )

    def allows_name(self, name: str) -> bool:
        """Whether the address of ``name`` may be asked for: whoever connects must."""
        return name.rstrip(".").lower() in {_without_port(host).lower() for host in self.hosts}

    def allows_program(self, path: str) -> bool:
        """Whether running the program at ``path`` is declared."""
        return path.rpartition("/")[2] in self.executables

    def allows_variable(self, name: str) -> bool:
        """Whether reading an environment variable is declared."""
        return name in self.environment


def read_permissions(manifest: Manifest) -> Permissions:
    """The literal under ``permissions``, at the module's level or in ``metadata``; problems are findings."""
    path, declared = "permissions", manifest.values.get("permissions")
    metadata = manifest.values.get("metadata")
    if declared is None and isinstance(metadata, dict):
        path, declared = "metadata.permissions", metadata.get("permissions")
    if declared is None:
        return Permissions()
    findings: list[Finding] = []
    if not isinstance(declared, dict):
        findings.append(_problem(manifest, path, "is no dictionary that can be read without running the manifest"))
        return Permissions(findings=tuple(findings))
    for key in declared:
        if key not in _KEYS:
            shown = "a key that is no literal" if key is UNKNOWN else f"the unknown key {str(key)[:60]!r}"
            findings.append(_problem(manifest, f"{path}.{key}", f"has {shown}"))
    read = {key: _entries(manifest, f"{path}.{key}", declared.get(key), key, findings) for key in _KEYS}
    return Permissions(**read, findings=tuple(findings))


def _entries(manifest: Manifest, path: str, value: Any, key: str, findings: list[Finding]) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        findings.append(_problem(manifest, path, f"has no literal list under {key!r}"))
        return ()
    good = []
    for position, entry in enumerate(value):
        if isinstance(entry, str) and _FORMS[key].fullmatch(entry):
            good.append(entry)
        else:
            shown = repr(entry)[:80] if isinstance(entry, str) else "an entry that is no literal text"
            what = f"has {shown} under {key!r}, which is not {_MEANINGS[key]}"
            findings.append(_problem(manifest, f"{path}.{position}", what))
    return tuple(dict.fromkeys(good))


def _problem(manifest: Manifest, path: str, what: str) -> Finding:
    remedy = f"write it as in: {_EXAMPLE}"
    return error(
        "manifest.permissions", f"permissions {what}", remedy, file="manifest.py", line=manifest.line(path)
    )


def _without_port(place: str) -> str:
    host, separator, port = place.rpartition(":")
    return host if separator and port.isdigit() and (host.startswith("[") or ":" not in host) else place
