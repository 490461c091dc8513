"""The code layer: the plugin's files as they are, in one deterministic tar that exists only as a stream."""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from images.files import Cache, touch
from images.image_config import Layer, layer_of
from images.layout import WHITEOUT
from toolchain.core.digests import sha256_json
from toolchain.core.errors import PluginFault
from toolchain.core.image_layout import plugin_directory
from toolchain.core.tarball import (
    END,
    FileChanged,
    FilePart,
    Part,
    directory_header,
    file_parts,
    parents,
    total_size,
)

_NAME_LIMIT: Final = 512
# Hashing runs at 1.7 GB/s here: below this, a lookup costs as much as the work, and is one thing more to trust.
_HASH_ALWAYS: Final = 16 << 20
# File systems keep times in steps; a file written within the last one may change again without showing it.
_SETTLED_SECONDS: Final = 2.0


@dataclass(frozen=True)
class SourceFile:
    """One file of a plugin: its name under the plugin's folder (with ``/``), where it lies, and its mode."""

    arcname: str
    path: Path
    executable: bool = False


def code_layer(name: str, files: Sequence[SourceFile], cache: Cache) -> Layer:
    """The layer that puts ``files`` into the folder of plugin ``name``; their order does not matter.

    Raises ``PluginFault`` for a name that leaves the folder, and for a file that is not regular, cannot be read or
    changes meanwhile.
    """
    ordered = sorted(files, key=lambda file: file.arcname)
    states = [_status(file) for file in ordered]
    parts = _parts(plugin_directory(name).lstrip("/"), ordered, states)
    if total_size(parts) < _HASH_ALWAYS:
        return _hashed(parts)
    return _remembered(name, ordered, states, parts, cache)


def check_name(arcname: str) -> None:
    """Raise ``PluginFault`` unless ``arcname`` is a relative path without detours."""
    pieces = arcname.split("/")
    if len(arcname) > _NAME_LIMIT or "\0" in arcname or any(piece in ("", ".", "..") for piece in pieces):
        raise PluginFault("a file's name leaves the plugin's folder", where=arcname[:80], remedy="rename the file")
    if any(piece.startswith(WHITEOUT) for piece in pieces):
        raise PluginFault(
            f"a name that begins with `{WHITEOUT}` would remove another file from an image",
            where=arcname[:80],
            remedy="rename the file",
        )


def _parts(folder: str, files: Sequence[SourceFile], states: Sequence[os.stat_result]) -> tuple[Part, ...]:
    folders = dict.fromkeys((*parents(folder), folder))
    for file in files:
        check_name(file.arcname)
        folders.update(
            dict.fromkeys(place for place in parents(f"{folder}/{file.arcname}") if place not in folders)
        )
    parts: list[Part] = [b"".join(directory_header(place) for place in folders)]
    for file, state in zip(files, states, strict=True):
        part = FilePart(file.path, state.st_size)
        parts += file_parts(f"{folder}/{file.arcname}", part, executable=file.executable)
    return (*parts, END)


def _status(file: SourceFile) -> os.stat_result:
    try:
        state = file.path.lstat()
    except OSError as reason:
        raise _unreadable(file.arcname, reason.strerror or "unknown reason") from reason
    if not stat.S_ISREG(state.st_mode):
        raise _unreadable(file.arcname, "it is not a regular file")
    return state


def _hashed(parts: tuple[Part, ...]) -> Layer:
    try:
        return layer_of("code", parts)
    except FileChanged as reason:
        raise file_changed(reason) from reason


def _remembered(
    name: str, files: Sequence[SourceFile], states: Sequence[os.stat_result], parts: tuple[Part, ...], cache: Cache
) -> Layer:
    """As ``_hashed``, from memory when no file was touched: the change time cannot be set back by a program."""
    seen = [
        [
            file.arcname,
            file.executable,
            state.st_dev,
            state.st_ino,
            state.st_size,
            state.st_mtime_ns,
            state.st_ctime_ns,
        ]
        for file, state in zip(files, states, strict=True)
    ]
    memory = cache.root / "code" / f"{sha256_json([name, seen])}.json"
    if memory.is_file():
        touch(memory)
        return Layer("code", json.loads(memory.read_bytes())["diff_id"], total_size(parts), parts)
    layer = _hashed(parts)
    if time.time() - max(state.st_ctime for state in states) > _SETTLED_SECONDS:
        cache.write(memory, json.dumps({"diff_id": layer.diff_id}).encode())
    return layer


def file_changed(reason: FileChanged) -> PluginFault:
    """The error for a file that changed while it was read."""
    return _unreadable(str(reason.args[0]), str(reason.args[1]))


def _unreadable(where: str, why: str) -> PluginFault:
    return PluginFault(
        f"a file of the plugin cannot be read: {why}",
        where=where,
        remedy="make it a readable regular file, then retry",
    )
