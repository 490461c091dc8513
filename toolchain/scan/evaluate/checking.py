"""Imports under ``if TYPE_CHECKING:``, which never run: silent where the names stand in annotations only."""

from __future__ import annotations

import ast
import re

from toolchain.scan.evaluate.package import Module, Package
from toolchain.scan.evaluate.values import Ref, Value

_REBOUND = re.compile(
    rb"TYPE_CHECKING\s*(?:=(?!=)|:=|:[^\n=]*=)|[\"']TYPE_CHECKING|(?:vars|setattr)\(\s*_?t(?:yping)?\b|typing\.__dict__"
)


def is_for_checkers(package: Package, test: Value) -> bool:
    """Whether a condition is ``typing.TYPE_CHECKING``, which no file of a small tree sets."""
    if not isinstance(test, Ref) or test.path not in {"typing.TYPE_CHECKING", "typing_extensions.TYPE_CHECKING"}:
        return False
    return package.large or not package.mentions(_REBOUND)


def names_at_run_time(module: Module) -> frozenset[str]:
    """The names that a file uses outside of annotations."""
    if module.run_time_names is None:
        found: set[str] = set()
        stack: list[ast.AST] = [module.tree] if module.tree is not None else []
        while stack:
            node = stack.pop()
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                found.add(node.id)
            for field, child in ast.iter_fields(node):
                if field not in {"annotation", "returns"}:
                    parts = child if isinstance(child, list) else [child]
                    stack += [part for part in parts if isinstance(part, ast.AST)]
        module.run_time_names = frozenset(found)
    return module.run_time_names
