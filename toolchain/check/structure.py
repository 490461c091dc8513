"""Is everything there that the platform imports, and does it parse?"""

from __future__ import annotations

import ast
from pathlib import PurePosixPath

from toolchain.check.module import Module
from toolchain.core.findings import Finding, error
from toolchain.plugin.manifest import SourceProblem, parse_source
from toolchain.plugin.tree import PluginTree

REQUIRED = {
    "manifest.py": "metadata, schemas and features live there",
    "pipeline.py": "build_steps lives there",
    "__init__.py": "without it the plugin's relative imports fail",
}
# A syntax tree may take 640 times its source's size in memory (measured on `x,` repeated).
_SOURCE_LIMIT = 512 << 10
_SOURCES_LIMIT = 2 << 20


def check_structure(tree: PluginTree) -> tuple[list[Finding], dict[str, Module]]:
    """The findings, and the syntax trees of the files that parse by name."""
    if tree.oversized:
        return list(tree.findings), {}
    findings = [*tree.findings, *_missing_files(tree)]
    modules: dict[str, Module] = {}
    read = 0
    for file in tree.python_files:
        read += file.size if file.size <= _SOURCE_LIMIT else 0
        if file.size > _SOURCE_LIMIT or read > _SOURCES_LIMIT:
            limit = f"{_SOURCE_LIMIT >> 10} KiB a file or {_SOURCES_LIMIT >> 20} MiB in all"
            message = f"the file was not read: more Python than {limit}"
            findings.append(error("structure.source-too-large", message, "move data out of code", file=file.name))
            continue
        parsed = parse_source(tree.read(file.name), file.name)
        if isinstance(parsed, SourceProblem):
            findings.append(
                error(
                    "structure.syntax",
                    f"Python cannot parse the file: {parsed.message}",
                    "correct the line; `python -m py_compile` shows the same error",
                    file=file.name,
                    line=parsed.line,
                )
            )
        else:
            modules[file.name] = Module(parsed)
    return [*findings, *_missing_packages(tree, modules)], modules


def _missing_files(tree: PluginTree) -> list[Finding]:
    findings = []
    for name, reason in REQUIRED.items():
        if name not in tree:
            remedy = "touch __init__.py" if name == "__init__.py" else "mixpeek plugin init NAME makes one to copy"
            findings.append(error("structure.missing-file", f"missing: {reason}", remedy, file=name))
    return findings


def _missing_packages(tree: PluginTree, modules: dict[str, Module]) -> list[Finding]:
    """Folders that the plugin imports from by relative import but that are no packages."""
    findings = []
    for folder in sorted(
        {folder for name, module in modules.items() for folder in _imported_folders(name, module)}
    ):
        name = f"{folder}/__init__.py"
        if name not in tree and any(file.name.startswith(f"{folder}/") for file in tree.python_files):
            message = f"modules are imported from {folder}/, which is no package"
            findings.append(error("structure.missing-init", message, f"touch {name}", file=name))
    return findings


def _imported_folders(name: str, module: Module) -> set[str]:
    """Folders of the plugin, by their path, that the relative imports of one file go through."""
    here = PurePosixPath(name).parent
    folders = set()
    for node in module.nodes(ast.ImportFrom):
        if node.level and node.level - 1 <= len(here.parts):
            base = here.parts[: len(here.parts) - (node.level - 1)]
            parts = (*base, *(node.module or "").split("."))
            folders |= {"/".join(parts[:end]) for end in range(1, len(parts) + 1)} - {""}
    return folders
