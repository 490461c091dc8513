"""Reads a folder, an archive or one file within limits; no link is followed, nothing is unpacked to disk."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from toolchain.core.errors import UsageFault
from toolchain.scan.contents.kinds import archive_kind
from toolchain.scan.contents.left_out import LeftOut
from toolchain.scan.contents.model import Entry, Exhausted, Problem, Reading


def read_contents(target: Path, reading: Reading) -> Iterator[Entry]:
    """Every file of the target and every member of its archives; what cannot be read is in ``reading.problems``.

    Raises ``UsageFault`` when there is nothing to read at ``target``.
    """
    if os.path.isdir(target):  # noqa: PTH112 - Path's raise where a folder above may not be searched
        entries = _folder(target, reading)
    elif os.path.isfile(target):  # noqa: PTH113
        entries = _file(target.resolve(), reading)
    else:
        raise UsageFault(
            "neither a folder nor a file" if os.path.lexists(target) else "nothing to scan here",
            where=str(target),
            remedy="pass a plugin's folder, its archive, or a folder of plugins",
        )
    try:
        yield from entries
    except Exhausted as reason:
        reading.problems.append(Problem("limit.total", str(reason), ""))


def _file(target: Path, reading: Reading) -> Iterator[Entry]:
    data = _bytes(target, target.name, reading)
    if data is None:
        return
    if archive_kind(data) is None:
        yield reading.admit(target.name, data)
    else:
        yield from _unpacked(Entry(target.name, data), reading, top=True)


def _folder(root: Path, reading: Reading) -> Iterator[Entry]:
    for path, mode in _walk(root, reading):
        name = path.relative_to(root).as_posix()
        if stat.S_ISLNK(mode):
            reading.problem("file.link", "a symbolic link is not followed", name)
        elif not stat.S_ISREG(mode):
            reading.problem("file.special", "neither a file nor a folder", name)
        elif _is_own_cache(path):
            bytecode = _bytes(path, name, reading)
            if bytecode is not None and _runs_unchecked(bytecode):
                reading.problem("file.bytecode", "bytecode that Python runs without looking at its source", name)
        elif (data := _bytes(path, name, reading)) is not None:
            entry = reading.admit(name, data)
            yield entry
            yield from _unpacked(entry, reading)


def _unpacked(entry: Entry, reading: Reading, *, top: bool = False) -> Iterator[Entry]:
    if archive_kind(entry.data) is not None:
        # Imported here: an unchanged plugin without archives is answered without the readers of archives.
        from toolchain.scan.contents.archives import members

        yield from members(entry, reading, top=top)


def _walk(root: Path, reading: Reading) -> Iterator[tuple[Path, int]]:
    queue = [(root, 0)]
    left_out = LeftOut(root, packed_only=reading.packed_only)
    while queue:
        folder, depth = queue.pop()
        try:
            with os.scandir(folder) as listing:
                found = sorted(islice(listing, reading.limits.files + 1), key=lambda entry: entry.name)
        except OSError as reason:
            place = folder.relative_to(root).as_posix()
            reading.problem("file.unreadable", f"cannot be read: {reason.strerror}", place)
            continue
        if len(found) > reading.limits.files:
            raise Exhausted(f"a folder with more than {reading.limits.files:,} entries")
        for entry in found:
            reading.tick()
            path = Path(entry.path)
            name = path.relative_to(root).as_posix()
            is_folder = entry.is_dir(follow_symlinks=False)
            if left_out(name, folder=is_folder):
                reading.left_out.append(name)
            elif not is_folder:
                try:
                    mode = entry.stat(follow_symlinks=False).st_mode
                except OSError as reason:
                    reading.problem("file.unreadable", f"cannot be read: {reason.strerror}", name)
                else:
                    yield path, mode
            elif depth >= reading.limits.depth:
                reading.problem("limit.depth", "folders nested deeper than a scan follows", name)
            else:
                queue.append((path, depth + 1))


def _is_own_cache(path: Path) -> bool:
    """Bytecode that an interpreter left beside its source: never packed, so no part of the plugin."""
    source = path.parent.parent / f"{path.name.partition('.')[0]}.py"
    return path.parent.name == "__pycache__" and path.suffix == ".pyc" and source.is_file()


def _runs_unchecked(data: bytes) -> bool:
    """Whether bytecode says of itself that it need not be compared with its source (PEP 552)."""
    return int.from_bytes(data[4:8], "little") == 1


def _bytes(path: Path, name: str, reading: Reading) -> bytes | None:
    most = reading.limits.file_bytes
    try:
        # NONBLOCK and the second look at the kind: the file may have been replaced since it was listed.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as stream:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                reading.problem("file.special", "neither a file nor a folder", name)
                return None
            data = stream.read(most + 1) if status.st_size <= most else None
    except OSError as reason:
        reading.problem("file.unreadable", f"cannot be read: {reason.strerror}", name)
        return None
    if data is None or len(data) > most:
        reading.problem("limit.file", f"larger than the {most >> 20} MiB that a scan reads of one file", name)
        return None
    return data
