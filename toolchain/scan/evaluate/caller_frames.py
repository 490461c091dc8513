"""The names of frames and functions that are not the own ones: which reads of them are harmless.

Libraries ask a caller's frame or a function's globals for ``__name__`` and compare them; what takes the names as a
whole, or hands them on, reaches into another module.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TypeGuard

from toolchain.scan.evaluate.package import Module

_NAMES = frozenset({"f_globals", "f_locals", "__globals__", "func_globals"})
_DOORS = frozenset({"__builtins__", "__loader__", "__spec__", "__import__"})


def is_harmless(module: Module, node: ast.AST) -> bool:
    """Whether this read of a frame's names takes no more than one name that opens nothing."""
    if module.harmless_reads is None:
        module.harmless_reads = _harmless_reads(module.tree) if module.tree is not None else frozenset()
    return isinstance(node, ast.Attribute) and _place(node) in module.harmless_reads


def _place(node: ast.expr) -> tuple[int, int | None]:
    return node.lineno, node.end_col_offset


def _harmless_reads(tree: ast.AST) -> frozenset[tuple[int, int | None]]:
    uses: dict[str, list[ast.Name]] = {}
    kept: list[tuple[str, ast.Attribute]] = []
    taken: set[ast.expr] = set()
    for node in ast.walk(tree):
        taken.update(_taken_by(node))
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            uses.setdefault(node.id, []).append(node)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            value = node.value.body if isinstance(node.value, ast.IfExp) else node.value
            if _reads_names(value):
                kept.append((node.targets[0].id, value))
    found = [node for node in taken if _reads_names(node)]
    found += [read for name, read in kept if all(use in taken for use in uses.get(name, ()))]
    return frozenset(map(_place, found))


def _reads_names(node: ast.expr) -> TypeGuard[ast.Attribute]:
    return isinstance(node, ast.Attribute) and node.attr in _NAMES


def _taken_by(node: ast.AST) -> Iterator[ast.expr]:
    """The dictionaries of which this node takes one harmless name, or that it only compares."""
    if isinstance(node, ast.Compare):
        yield from (node.left, *node.comparators)
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
        yield node.test
    elif isinstance(node, ast.Expr):
        yield node.value
    elif isinstance(node, ast.Subscript):
        if isinstance(node.ctx, ast.Load) and _is_plain(node.slice):
            yield node.value
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr == "get" and node.args and _is_plain(node.args[0]):
            yield node.func.value
        elif isinstance(node.func.value, ast.Name) and node.func.value.id == "linecache":
            yield from node.args


def _is_plain(key: ast.expr) -> bool:
    return isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value not in _DOORS
