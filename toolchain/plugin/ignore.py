"""What of a plugin's folder is no part of the plugin: the one rule for tests, images, scans and archives.

Three lists, strongest first: what never belongs (version control, environments, secrets), the author's own
``.mixpeekignore`` in the syntax of ``.gitignore``, and what usually does not belong (caches, build outputs), which
the author's file may take back with ``!pattern``.
"""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from toolchain.core.errors import PluginFault
from toolchain.core.files import read_regular

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

FILENAME: Final = ".mixpeekignore"
_FILE_LIMIT: Final = 64 << 10

_NEVER_FOLDERS: Final = frozenset(
    {".git", ".hg", ".svn", ".venv", "venv", ".aws", ".azure", ".docker", ".gcloud", ".gnupg", ".kube", ".ssh"}
)
_NEVER_FILES: Final = frozenset(
    {
        ".env", ".envrc", ".netrc", "_netrc", ".pypirc", ".npmrc", ".git-credentials", ".htpasswd", ".pgpass",
        ".dockercfg", "credentials.json", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".git",
    }
)  # fmt: skip
_NEVER_SUFFIXES: Final = (".key", ".p12", ".pfx", ".jks", ".keystore", ".kdbx")
# Patterns that show a reader which variables there are, without their values.
_ENVIRONMENT_EXAMPLES: Final = frozenset({".env.example", ".env.sample", ".env.template"})

_USUAL_FOLDERS: Final = frozenset(
    {
        "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox", ".idea",
        ".vscode", ".ipynb_checkpoints", "node_modules",
    }
)  # fmt: skip
_USUAL_TOP_FOLDERS: Final = frozenset({"dist", "build"})
_USUAL_FILES: Final = frozenset({".DS_Store", "Thumbs.db", ".coverage"})
_USUAL_SUFFIXES: Final = (".pyc", ".pyo", ".swp")
_EGG_INFO: Final = ".egg-info"


class IgnoreRules:
    """The rules for one plugin's folder."""

    def __init__(self, root: Path, *, own: bool = True) -> None:
        """Read ``.mixpeekignore`` below ``root``, if there is one; without ``own`` it is not looked at.

        Raises ``PluginFault`` when it cannot be read or holds a pattern that means nothing.
        """
        self._root = root
        self._own = _own_rules(root) if own else None

    def ignores_folder(self, name: str) -> bool:
        """Whether nothing below the folder ``name`` (relative, with ``/``) belongs to the plugin."""
        last = PurePosixPath(name).name
        # A folder with pyvenv.cfg is a virtual environment whatever it is called (PEP 405). Path.exists raises for
        # a folder that may not be searched, which is for the reader of the folder to tell.
        if last in _NEVER_FOLDERS or os.path.exists(self._root / name / "pyvenv.cfg"):  # noqa: PTH110
            return True
        own = self._judged(f"{name}/")
        if own is not None:
            return own
        return last in _USUAL_FOLDERS or name in _USUAL_TOP_FOLDERS or last.endswith(_EGG_INFO)

    def ignores_file(self, name: str) -> bool:
        """Whether the file ``name`` is no part of the plugin."""
        last = PurePosixPath(name).name
        if is_secret(last):
            return True
        own = self._judged(name)
        if own is not None:
            return own
        return last in _USUAL_FILES or last.endswith((*_USUAL_SUFFIXES, _EGG_INFO))

    def _judged(self, name: str) -> bool | None:
        """What the author's file says; ``None`` when none of its patterns matches."""
        return None if self._own is None else self._own.check_file(name).include


def is_secret(last: str) -> bool:
    """Whether a file of this name holds credentials by custom; such a file is never packed."""
    environment = last.startswith(".env.") and last not in _ENVIRONMENT_EXAMPLES
    return last in _NEVER_FILES or environment or last.lower().endswith(_NEVER_SUFFIXES)


def _own_rules(root: Path) -> GitIgnoreSpec | None:
    if not os.path.exists(root / FILENAME):  # noqa: PTH110 - as above
        return None
    from pathspec import GitIgnoreSpec

    try:
        return GitIgnoreSpec.from_lines(read_regular(root, FILENAME, limit=_FILE_LIMIT).decode().splitlines())
    except ValueError as reason:  # UnicodeDecodeError, and pathspec's error for a pattern without meaning
        raise PluginFault(
            f"not in the syntax of .gitignore: {reason}", where=FILENAME, remedy="correct or remove the pattern"
        ) from None
