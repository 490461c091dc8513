"""The modules of the scanned tree, by dotted name, parsed and evaluated when they are asked for."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from toolchain.scan.evaluate.frames import Frame
from toolchain.scan.evaluate.triggers import is_large, needs_evaluation


@dataclass
class Module:
    """One file: its dotted name, path in the tree, syntax tree and names."""

    name: str
    file: str
    tree: ast.Module | None
    frame: Frame
    is_package: bool = False
    state: str = "new"
    dynamic: bool = False
    makes_names: bool | None = None
    source: bytes = b""
    text_line: int = 0
    harmless_reads: frozenset[tuple[int, int | None]] | None = None
    run_time_names: frozenset[str] | None = None
    functions: list[object] = field(default_factory=list)
    names_programs: bool = False
    """Whether its text holds ``.py``, as the name of a file that it may put somewhere does."""

    @property
    def finished(self) -> bool:
        """Whether its top level has been evaluated to the end."""
        return self.state == "done"


class Package:
    """Finds the tree's own modules, under the plugin's own name or without it.

    A plugin's folder may be imported as ``plugin.processors.core``, ``.processors.core`` or ``processors.core``:
    absolute names are looked up by their longest suffix that is a file of the tree and starts at its root.
    """

    def __init__(self, sources: dict[str, bytes], roots: tuple[str, ...] = ()) -> None:
        self.nowhere = Module("", "", None, Frame("module", None, None))
        self.roots = roots
        self._sources = sources
        self._by_name: dict[str, str] = {}
        self._loaded: dict[str, Module] = {}
        self.dropped: set[str] = set()
        self._mentioned: dict[re.Pattern[bytes], bool] = {}
        self._inert: dict[str, bool] = {}
        self._lost: dict[str, dict[str, tuple[str, ...]]] = {}
        self._folders: set[str] = set()
        self.large = is_large(sources)
        for file in sources:
            stem = file[:-3] if file.endswith((".py",)) else file.rsplit(".", 1)[0]
            parts = stem.split("/")
            if parts[-1] == "__init__":
                parts.pop()
            self._by_name.setdefault(".".join(parts), file)
            self._folders.update(".".join(parts[:depth]) for depth in range(1, len(parts)))

    def resolve(self, name: str) -> str | None:
        """The tree's own spelling of a dotted module name, or ``None`` for a module from outside."""
        if name in self._by_name:
            return name
        for root in self.roots:
            if name == root:
                return ""
            if name.startswith(f"{root}.") and name[len(root) + 1 :] in self._by_name:
                return name[len(root) + 1 :]
        return None

    def is_folder(self, name: str) -> bool:
        """Whether a folder of that dotted name holds modules of the tree."""
        return name in self._folders

    def module(self, name: str) -> Module | None:
        """The module of that name, parsed; ``None`` when there is none or it cannot be parsed."""
        file = self._by_name.get(name)
        return None if file is None else self.file(file)

    def file(self, file: str) -> Module | None:
        """The module in that file, parsed."""
        if file not in self._loaded:
            try:
                tree: ast.Module | None = ast.parse(self._sources[file], file)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                tree = None
            parts = file.rsplit(".", 1)[0].split("/")
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            frame = Frame("module", None, None)
            frame.file = file
            source = self._sources[file]
            self._loaded[file] = Module(name, file, tree, frame, is_package, source=source)
            self._loaded[file].names_programs = b".py" in source
        module = self._loaded[file]
        return module if module.tree is not None else None

    def lost_in(self, file: str) -> dict[str, tuple[str, ...]]:
        """The modules that went where they cannot be followed, with how they were reached.

        A small tree has one such record; in a large one each file has its own.
        """
        return self._lost.setdefault(file if self.large else "", {})

    def inert(self, file: str) -> bool:
        """Whether a file of a large tree can be left unevaluated."""
        if not self.large:
            return False
        if file not in self._inert:
            self._inert[file] = not needs_evaluation(self._sources[file])
        return self._inert[file]

    def inert_module(self, name: str) -> bool:
        """``inert`` by the module's name."""
        return self.large and name in self._by_name and self.inert(self._by_name[name])

    def mentions(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether any file's text matches; looked for once."""
        if pattern not in self._mentioned:
            self._mentioned[pattern] = any(pattern.search(source) for source in self._sources.values())
        return self._mentioned[pattern]

    def has(self, name: str) -> bool:
        """Whether the tree has this module."""
        return name in self._by_name
