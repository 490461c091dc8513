"""What a plugin says of itself, read from its manifest's syntax tree and its requirement files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from toolchain.core.toml import parse_toml
from toolchain.plugin.manifest import SourceProblem, parse_source, read_manifest
from toolchain.scan.gathering import Kept
from toolchain.scan.model import Declared

_LIMIT = 1 << 20
_TEXT_LIMIT = 500


def read_declared(kept: Mapping[str, Kept], top: str = "") -> Declared:
    """The declaration of the plugin whose files lie under ``top`` (``""``, or a folder's name with ``/``)."""

    def read(name: str) -> bytes:
        file = kept.get(top + name)
        return file.data if file is not None and len(file.data) <= _LIMIT else b""

    tree = parse_source(read("manifest.py"), "manifest.py")
    if isinstance(tree, SourceProblem):
        return Declared()
    manifest = read_manifest(tree)
    lines = [text for text, _ in manifest.dependencies]
    lines += _requirement_lines(read("requirements.txt"))
    lines += _project_dependencies(read("pyproject.toml"))
    return Declared(
        name=manifest.name,
        version=manifest.version,
        dependencies=tuple(sorted({line.strip()[:_TEXT_LIMIT] for line in lines})),
        permissions=tuple(sorted(_permissions(manifest.values))),
    )


def top_folder(names: Mapping[str, Kept]) -> str:
    """The one folder that holds everything, as in an archive, with its ``/``; ``""`` when there is none."""
    tops = {name.partition("/")[0] for name in names}
    only = tops.pop() if len(tops) == 1 else ""
    return f"{only}/" if only and only not in names else ""


def _requirement_lines(data: bytes) -> Iterator[str]:
    for line in data.decode("utf-8", "replace").splitlines():
        text = line.partition("#")[0].strip()
        if text:
            yield text


def _project_dependencies(data: bytes) -> Iterator[str]:
    try:
        project = parse_toml(data).get("project")
    except (ValueError, RecursionError):
        return  # the structure check reports it
    listed = project.get("dependencies") if isinstance(project, dict) else None
    yield from (entry for entry in listed if isinstance(entry, str)) if isinstance(listed, list) else ()


def _permissions(values: Mapping[str, Any]) -> Iterator[str]:
    metadata = values.get("metadata")
    nested = metadata.get("permissions") if isinstance(metadata, dict) else None
    declared = values.get("permissions", nested)
    for kind, names in declared.items() if isinstance(declared, dict) else ():
        for name in names if isinstance(names, (list, tuple)) else (names,):
            yield f"{kind}: {name}"[:_TEXT_LIMIT]
