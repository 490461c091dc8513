"""Which part of a folder a scan does not read, because no archive ever holds it."""

from __future__ import annotations

from pathlib import Path

from toolchain.core.errors import PluginFault
from toolchain.plugin.ignore import IgnoreRules

_BYTECODE = (".pyc", ".pyo")


class LeftOut:
    """The rules for one folder.

    A plugin's own ``.mixpeekignore`` may add to what is read. It takes nothing away unless only what is packed is
    asked for: it would be a way to hide code from a reviewer who has the folder.
    """

    def __init__(self, root: Path, *, packed_only: bool) -> None:
        self._lists = [] if packed_only else [IgnoreRules(root, own=False)]
        try:
            self._lists.append(IgnoreRules(root))
        except PluginFault:
            self._lists = [IgnoreRules(root, own=False)]  # the structure check reports the file

    def __call__(self, name: str, *, folder: bool) -> bool:
        """Whether the file or folder ``name``, relative with ``/``, is left out."""
        if folder:
            return not name.endswith("__pycache__") and all(rules.ignores_folder(name) for rules in self._lists)
        # Bytecode is looked at: beside its source it is an interpreter's, anywhere else a program.
        return not name.endswith(_BYTECODE) and all(rules.ignores_file(name) for rules in self._lists)
