"""Is the plugin called the same everywhere, and by a name and version that the platform takes?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from toolchain.check.module import Module
from toolchain.core.findings import Finding, Severity, error
from toolchain.plugin.manifest import Manifest
from toolchain.plugin.names import VERSION_PATTERN, normalize_version, validate_name
from toolchain.plugin.tree import PluginTree

MANIFEST = "manifest.py"


@dataclass(frozen=True)
class Mention:
    """One place that states the plugin's name or version."""

    value: str
    file: str
    line: int | None


def check_identity(manifest: Manifest, tree: PluginTree, modules: dict[str, Module]) -> list[Finding]:
    """Findings about name and version, and about every place that disagrees with the manifest."""
    findings = [*_check_name(manifest), *_check_version(manifest)]
    for kind, ours in (("name", manifest.name), ("version", manifest.version)):
        if ours is None:
            continue
        for mention in _mentions(kind, tree, modules):
            if _same(kind, mention.value, ours):
                continue
            message = f"the {kind} is {mention.value!r} here but {ours!r} in manifest.py"
            remedy = f"use {ours!r} here, or take it from the manifest's metadata"
            findings.append(
                error(f"schemas.{kind}-differs", message, remedy, file=mention.file, line=mention.line)
            )
    findings.extend(_check_folder(manifest, tree))
    return findings


def _check_name(manifest: Manifest) -> Iterator[Finding]:
    if manifest.name is None:
        remedy = 'add metadata = {"feature_extractor_name": "…", "version": "1.0.0", …}'
        yield error("schemas.name-missing", "the manifest states no extractor name", remedy, file=MANIFEST)
        return
    for problem in validate_name(manifest.name):
        yield error("schemas.name", problem.message, problem.remedy, file=MANIFEST, line=manifest.name_line())


def _check_version(manifest: Manifest) -> Iterator[Finding]:
    line = manifest.line("metadata.version") or manifest.line("version")
    version = manifest.version
    if version is None:
        remedy = 'add "version": "1.0.0" to metadata'
        yield error("schemas.version-missing", "the manifest states no version", remedy, file=MANIFEST, line=line)
    elif not VERSION_PATTERN.fullmatch(version):
        normal = normalize_version(version)
        remedy = f"write {normal!r}" if normal else "write three numbers, as in '1.0.0'"
        message = f"the version {version!r} is not of the form X.Y.Z"
        yield error("schemas.version", message, remedy, file=MANIFEST, line=line)


def _mentions(kind: str, tree: PluginTree, modules: dict[str, Module]) -> Iterator[Mention]:
    """Where else the name or version is written as a literal: PipelineDefinition and pyproject.toml."""
    for file, module in modules.items():
        for node in module.nodes(ast.Call):
            if _called(node) == "PipelineDefinition":
                yield from _literal_argument(node, kind, file)
    if "pyproject.toml" in tree:
        yield from _pyproject(kind, tree)


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")


def _literal_argument(node: ast.Call, kind: str, file: str) -> Iterator[Mention]:
    for keyword in node.keywords:
        value = keyword.value
        if keyword.arg == kind and isinstance(value, ast.Constant) and isinstance(value.value, str):
            yield Mention(value.value, file, value.lineno)


def _pyproject(kind: str, tree: PluginTree) -> Iterator[Mention]:
    from toolchain.core.toml import parse_toml

    data = tree.read("pyproject.toml")
    try:
        project = parse_toml(data).get("project", {})
    except ValueError:
        return  # the reader of requirements reports a pyproject.toml that does not parse
    value = project.get(kind) if isinstance(project, dict) else None
    if isinstance(value, str):
        lines = data.decode(errors="replace").splitlines()
        found = (number for number, line in enumerate(lines, 1) if line.replace(" ", "").startswith(f"{kind}="))
        yield Mention(value, "pyproject.toml", next(found, None))


def _same(kind: str, theirs: str, ours: str) -> bool:
    if kind == "version":
        return theirs == ours
    # pyproject.toml names a distribution, where -, _ and case are one (PEP 503).
    return theirs.replace("-", "_").lower() == ours.replace("-", "_").lower()


def _check_folder(manifest: Manifest, tree: PluginTree) -> Iterator[Finding]:
    """A folder of another name works here; where the folder is imported by its own name it does not."""
    if manifest.name is not None and tree.root.name != manifest.name:
        yield Finding(
            Severity.WARNING,
            "structure.folder-name",
            f"the folder is called {tree.root.name!r} but the plugin {manifest.name!r}",
            f"rename the folder to {manifest.name!r}: the archive's top folder has the plugin's name",
        )
