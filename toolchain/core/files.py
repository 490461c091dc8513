"""Reads files of a folder that a stranger filled, and writes files whole."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path

from toolchain.core.errors import PluginFault, UsageFault


def read_regular(root: Path, name: str, *, limit: int) -> bytes:
    """The bytes of the regular file ``name`` (``/`` between parts) below ``root``, at most ``limit`` of them.

    No link is followed on the way below ``root``, and opening never waits, as it would for a FIFO. Raises
    ``PluginFault`` for a file that is not there, not regular, too large or not readable.
    """
    descriptor = -1
    try:
        descriptor = _open_below(root, name)
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise PluginFault("not a regular file", where=name, remedy="replace it by a plain file")
        if status.st_size > limit:
            size, most = status.st_size / 2**20, limit / 2**20
            raise PluginFault(
                f"{size:.1f} MiB; at most {most:.1f} are taken", where=name, remedy="make it smaller"
            )
        with os.fdopen(os.dup(descriptor), "rb") as stream:
            return stream.read(limit)
    except OSError as reason:
        raise PluginFault(
            f"the file cannot be read: {reason.strerror}", where=name, remedy="check its permissions"
        ) from None
    finally:
        if descriptor >= 0:
            os.close(descriptor)


def _open_below(root: Path, name: str) -> int:
    *folders, file = name.split("/")
    current = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for folder in folders:
            deeper = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=current)
            os.close(current)
            current = deeper
        return os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=current)
    finally:
        os.close(current)


def write_whole(file: Path, data: bytes) -> None:
    """Write a file that the user named, whole or not at all. Raises ``UsageFault`` when that cannot be done."""
    partial = file.with_name(f".{file.name}.{os.urandom(4).hex()}")
    try:
        partial.write_bytes(data)
        partial.replace(file)
    except OSError as reason:
        with suppress(OSError):  # in a folder that may not be searched there is none
            partial.unlink(missing_ok=True)
        remedy = "check the folder's permissions and the free space"
        raise UsageFault(f"cannot be written: {reason.strerror}", where=str(file), remedy=remedy) from None
