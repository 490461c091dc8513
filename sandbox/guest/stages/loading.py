"""Finds the plugin as a package under its own name, and turns what goes wrong into problems with a place."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

Value = TypeVar("Value")

MESSAGE_LIMIT = 2_000
TRACE_LIMIT = 6_000


class PluginFinder(MetaPathFinder):
    """Makes a folder importable as the package ``name`` whatever the folder is called."""

    def __init__(self, name: str, root: Path) -> None:
        self._name = name
        self._root = root

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,  # noqa: ARG002 - the protocol's signature
    ) -> ModuleSpec | None:
        """The plugin's spec; its submodules are found through the package's own path."""
        if fullname != self._name or path is not None:
            return None
        return spec_from_file_location(
            fullname, self._root / "__init__.py", submodule_search_locations=[str(self._root)]
        )


class Problems:
    """Collects what went wrong, so that one failure does not hide the next."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self.items: list[dict[str, Any]] = []

    def add(self, code: str, message: str, **fields: Any) -> None:
        """Note a problem; ``fields`` may hold ``file``, ``line``, ``row``, ``column`` and ``trace``."""
        self.items.append({"code": code, "message": message[:MESSAGE_LIMIT], **fields})

    def attempt(self, code: str, call: Callable[[], Value], default: Value | None = None) -> Value | None:
        """The value of ``call``; what it raises, SystemExit included, becomes a problem with its place."""
        try:
            return call()
        except KeyboardInterrupt:
            raise
        except BaseException as failure:  # noqa: BLE001 - plugin code may raise anything, and all of it is its fault
            self.add(code, describe(failure), **self.place(failure))
            return default

    def place(self, failure: BaseException) -> dict[str, Any]:
        """The deepest line of the plugin's own code that took part, and the traceback from there on."""
        if isinstance(failure, SyntaxError) and (failure.filename or "").startswith(self._root):
            return {"file": self._relative(str(failure.filename)), "line": failure.lineno, "kind": "SyntaxError"}
        frames = traceback.extract_tb(failure.__traceback__)
        own = [(position, frame) for position, frame in enumerate(frames) if frame.filename.startswith(self._root)]
        if not own and failure.__cause__ is not None:
            return self.place(
                failure.__cause__
            )  # the engine names the step; the plugin's own line is in the cause
        fields: dict[str, Any] = {"kind": type(failure).__name__}
        if own:
            first, last = own[0][0], own[-1][1]
            lines = traceback.format_list(frames[first:]) + traceback.format_exception_only(failure)
            fields |= {
                "file": self._relative(last.filename),
                "line": last.lineno,
                "trace": "".join(lines)[-TRACE_LIMIT:].replace(self._root + "/", ""),
            }
        if isinstance(failure, ModuleNotFoundError) and failure.name:
            fields["missing"] = failure.name
        return fields

    def _relative(self, filename: str) -> str:
        return filename[len(self._root) :].lstrip("/")


def describe(failure: BaseException) -> str:
    """The exception as one line: its class and what it says."""
    if isinstance(failure, SystemExit):
        return f"the code asked the interpreter to exit ({failure.code!r})"
    try:
        text = str(failure).strip()
    except BaseException:  # noqa: BLE001 - a hostile __str__
        text = "(its message cannot be shown)"
    return f"{type(failure).__name__}: {text}" if text else type(failure).__name__


def public_name(value: Any) -> str:
    """How to call an object in a message."""
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None)
    return name if isinstance(name, str) else type(value).__name__
