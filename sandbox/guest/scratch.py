"""Empties the folders that a plugin may write to: one stage leaves the next neither files nor a full disk."""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import count
from pathlib import Path


def clear(folder: Path) -> None:
    """Remove what is in ``folder``; what refuses to go stays.

    Call it when nobody else is running. What lies in a sub-folder is moved up before it is removed, so no depth
    that a plugin makes reaches the limits of Python's stack or of a path's length.
    """
    prefix, names = os.urandom(8).hex(), count()  # names that nobody can have taken beforehand
    removed = True
    while removed:
        removed = False
        for entry in _entries(folder):
            with suppress(OSError):
                if _is_folder(entry):
                    entry.chmod(0o700)
                    for inner in _entries(entry):
                        if _is_folder(inner):
                            inner.chmod(0o700)  # to move a folder is to write its `..`
                        inner.rename(folder / f"{prefix}-{next(names)}")
                    entry.rmdir()
                else:
                    entry.unlink()
                removed = True


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _entries(folder: Path) -> list[Path]:
    with suppress(OSError):
        return list(folder.iterdir())
    return []
