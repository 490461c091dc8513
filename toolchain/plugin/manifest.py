"""Reads what a plugin says of itself from its syntax tree, without running a line of it.

Both published dialects are understood: a ``metadata`` dictionary with Pydantic classes, and flat module
variables. Values that are not literals stay unknown here; the guest's description fills them in.
"""

from __future__ import annotations

import ast
import warnings
from dataclasses import dataclass, field
from typing import Any

UNKNOWN: Any = type("Unknown", (), {"__repr__": lambda _self: "UNKNOWN", "__bool__": lambda _self: False})()
"""Stands for a value that only running the code would tell."""

_FLAT_NAMES = ("feature_extractor_name", "version", "description", "category")


@dataclass(frozen=True)
class SourceProblem:
    """Why a file could not be parsed, and at which line."""

    message: str
    line: int | None


@dataclass(frozen=True)
class Manifest:
    """The literals of ``manifest.py`` with their lines.

    ``values`` maps module-level names to values or ``UNKNOWN``; ``lines`` maps a path, such as ``features.0`` or
    ``metadata.version``, to its line.
    """

    values: dict[str, Any] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)

    @property
    def name(self) -> str | None:
        """The extractor's name, under any of its three published keys."""
        return _text(self._metadata("feature_extractor_name", "name"))

    @property
    def version(self) -> str | None:
        """The version as written."""
        return _text(self._metadata("version"))

    @property
    def dependencies(self) -> tuple[tuple[str, int | None], ...]:
        """The requirement strings under ``dependencies`` with their lines."""
        listed = self.values.get("dependencies")
        if not isinstance(listed, (list, tuple)):
            return ()
        found = [(item, self.line(f"dependencies.{position}")) for position, item in enumerate(listed)]
        return tuple((item, line) for item, line in found if isinstance(item, str))

    @property
    def gpu_memory_gb(self) -> float | None:
        """``compute_profile.gpu_memory_gb``; ``None`` when absent or no literal number above 0."""
        profile = self._metadata("compute_profile")
        wanted = profile.get("gpu_memory_gb") if isinstance(profile, dict) else None
        if isinstance(wanted, (int, float)) and not isinstance(wanted, bool) and wanted > 0:
            return float(wanted)
        return None

    @property
    def is_flat(self) -> bool:
        """Whether the second dialect is used: no ``metadata``, the name as a module variable."""
        return "metadata" not in self.values and any(name in self.values for name in _FLAT_NAMES)

    def line(self, path: str) -> int | None:
        """The line of ``path``, or of the nearest thing around it."""
        while path:
            if path in self.lines:
                return self.lines[path]
            path = path.rpartition(".")[0]
        return None

    def name_line(self) -> int | None:
        """Where the name is written."""
        for path in ("metadata.feature_extractor_name", "metadata.name", "feature_extractor_name", "metadata"):
            if path in self.lines:
                return self.lines[path]
        return None

    def _metadata(self, *keys: str) -> Any:
        metadata = self.values.get("metadata")
        sources = (metadata, self.values) if isinstance(metadata, dict) else (self.values,)
        return next((source[key] for source in sources for key in keys if key in source), None)


def parse_source(data: bytes, filename: str) -> ast.Module | SourceProblem:
    """The syntax tree of a file, decoded as CPython does (PEP 263)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an author's "\\d" is no business of our caller's
            return ast.parse(data, filename)
    except SyntaxError as reason:
        return SourceProblem(reason.msg, reason.lineno or None)  # 0 for a coding that does not exist
    except (RecursionError, MemoryError):  # what the parser raises for 100,000 signs in a row
        return SourceProblem("it nests too deeply", None)
    except ValueError as reason:
        return SourceProblem(str(reason), None)


def read_manifest(tree: ast.Module) -> Manifest:
    """The literal assignments of a module."""
    reader = _Reader()
    for node in tree.body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    reader.assign(target.id, node.value)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            reader.assign(node.target.id, node.value)
    return Manifest(reader.values, reader.lines)


_DEPTH = 8
_ITEMS = 10_000
_TEXT = 10_000


def _literal(node: ast.expr) -> Any:
    """A plain value; other literals (sets, bytes, huge numbers) mean nothing in a manifest."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and isinstance(node.operand, ast.Constant):
        value = node.operand.value
        return -value if isinstance(value, (int, float)) and abs(value) < 1 << 63 else UNKNOWN
    if not isinstance(node, ast.Constant):
        return UNKNOWN
    value = node.value
    if isinstance(value, str):
        return value[:_TEXT]
    small = isinstance(value, (int, float)) and abs(value) < 1 << 63
    return value if value is None or isinstance(value, bool) or small else UNKNOWN


class _Reader:
    """Evaluates literals, and names that stand for earlier ones, as far as a manifest has any need.

    What is nested deeper or larger is unknown. A name within a container stands for plain values only: containers
    of containers by name grow tenfold with every line of a hostile manifest.
    """

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.lines: dict[str, int] = {}

    def assign(self, name: str, node: ast.expr) -> None:
        self.values[name] = self._value(node, name)

    def _value(self, node: ast.expr, path: str) -> Any:
        self.lines[path] = node.lineno
        if isinstance(node, (ast.Dict, ast.List, ast.Tuple)) and path.count(".") >= _DEPTH:
            return UNKNOWN
        if isinstance(node, ast.Dict):
            return self._dictionary(node, path)
        if isinstance(node, (ast.List, ast.Tuple)):
            return [self._value(item, f"{path}.{position}") for position, item in enumerate(node.elts[:_ITEMS])]
        if isinstance(node, ast.Name):
            value = self.values.get(node.id, UNKNOWN)
            return UNKNOWN if "." in path and isinstance(value, (dict, list)) else value
        return _literal(node)

    def _dictionary(self, node: ast.Dict, path: str) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                found[key.value] = self._value(value, f"{path}.{key.value}")
                self.lines[f"{path}.{key.value}"] = key.lineno
            elif key is None and isinstance(value, ast.Name) and isinstance(self.values.get(value.id), dict):
                found |= self.values[value.id]
            else:
                found[UNKNOWN] = UNKNOWN  # what else the dictionary holds only running the code would tell
        return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
