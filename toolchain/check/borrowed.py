"""Imports that work in mixpeek's own environment only because mixpeek itself needs the package.

A plugin that borrows one passes here and fails wherever only what it declares is installed.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable
from importlib import metadata

from images.layout import PRIVATE_NAMES
from toolchain.check.module import Module


def imported_names(modules: Iterable[Module]) -> frozenset[str]:
    """The first parts of all names that the modules import absolutely, the standard library's left out."""
    found: set[str] = set()
    for module in modules:
        found.update(alias.name for node in module.nodes(ast.Import) for alias in node.names)
        found.update(node.module for node in module.nodes(ast.ImportFrom) if node.level == 0 and node.module)
    return frozenset(name.partition(".")[0] for name in found) - sys.stdlib_module_names - PRIVATE_NAMES


def borrowed_imports(imports: frozenset[str], requirements: Iterable[str]) -> list[str]:
    """Those of ``imports`` that come from a distribution of this environment that ``requirements`` do not bring.

    About 0.1 s, which is why what the requirements name themselves is looked at first.
    """
    from packaging.utils import canonicalize_name

    declared = _closure(requirements)
    unclear = {name for name in imports if canonicalize_name(name) not in declared}
    if not unclear:
        return []
    provided = metadata.packages_distributions()
    return sorted(
        name
        for name in unclear
        if name in provided and declared.isdisjoint(canonicalize_name(one) for one in provided[name])
    )


def _closure(requirements: Iterable[str]) -> set[str]:
    """The canonical names of the distributions here that ``requirements`` bring, each with what it asks for."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    found: set[str] = set()
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        if name in found or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        found.add(name)
        try:
            waiting += [Requirement(line) for line in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:
            continue
    return found
