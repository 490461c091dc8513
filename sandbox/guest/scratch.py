"""Empties the folders that a plugin may write to: one stage leaves the next neither files nor a full disk."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path


class _Late(Exception):
    """The time is over."""


def clear(folder: Path, deadline: float) -> bool:
    """Remove what is in ``folder``; whether it is empty. What refuses to go stays.

    Call it when nobody else is running. What lies in a sub-folder is moved up before it is removed, so no depth
    that a plugin makes reaches the limits of Python's stack or of a path's length; nor is a list of names held,
    however many there are. At ``deadline``, on the monotonic clock, it gives up.
    """
    prefix, numbers = os.urandom(8).hex(), count()  # names that nobody can have taken beforehand
    places = (folder / f"{prefix}-{number}" for number in numbers)
    try:
        # A folder that changes while it is read may be shown in part: read it until nothing more goes.
        while sum(_remove(entry, places, deadline) for entry in _entries(folder, deadline)):
            pass
        return not any(_entries(folder, deadline))
    except _Late:
        return False


def _remove(entry: os.DirEntry[str], places: Iterator[Path], deadline: float) -> bool:
    """Whether the entry has gone, or some of what it held, which moves to ``places``. Raises ``_Late``."""
    progress = False
    with suppress(OSError):
        if not entry.is_dir(follow_symlinks=False):
            os.unlink(entry.path)
            return True
        os.chmod(entry.path, 0o700)
        for inner in _entries(entry.path, deadline):
            if inner.is_dir(follow_symlinks=False):
                os.chmod(inner.path, 0o700)  # to move a folder is to write its `..`
                os.rename(inner.path, next(places))
            else:
                os.unlink(inner.path)
            progress = True
        os.rmdir(entry.path)
        return True
    return progress


def _entries(folder: Path | str, deadline: float) -> Iterator[os.DirEntry[str]]:
    """What is in a folder, nothing where there is none. Raises ``_Late``."""
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            if time.monotonic() > deadline:
                raise _Late
            yield entry
