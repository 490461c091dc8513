"""A Python file as its syntax tree, gone through once for all who ask for nodes of a kind."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, cast

Node = TypeVar("Node", bound=ast.AST)


@dataclass(frozen=True)
class Module:
    """A file that parses."""

    tree: ast.Module

    def nodes(self, kind: type[Node]) -> list[Node]:
        """All nodes of just this kind, outer ones first."""
        return cast("list[Node]", self._by_kind.get(kind, []))

    @cached_property
    def _by_kind(self) -> dict[type[ast.AST], list[ast.AST]]:
        # As ast.walk, in half its time: 10 ms of a build went into four walks through the same ten files.
        found: dict[type[ast.AST], list[ast.AST]] = {}
        left: list[ast.AST] = [self.tree]
        for node in left:
            found.setdefault(type(node), []).append(node)
            for name in node._fields:
                value = getattr(node, name, None)
                if isinstance(value, ast.AST):
                    left.append(value)
                elif isinstance(value, list):
                    left += [item for item in value if isinstance(item, ast.AST)]
        return found
