"""The code layer: the plugin's files as they are, in one deterministic tar."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from images.image_config import Layer, layer_of
from images.layout import plugin_directory
from images.tarball import END, Part, directory_header, file_header, padding, parents
from toolchain.core.errors import PluginFault

_NAME_LIMIT: Final = 512


@dataclass(frozen=True)
class SourceFile:
    """One file of a plugin: its name under the plugin's folder (``/`` between parts), where it lies, and its mode."""

    arcname: str
    path: Path
    executable: bool = False


def code_layer(name: str, files: Sequence[SourceFile]) -> Layer:
    """The layer that puts ``files`` into the folder of plugin ``name``; their order does not matter.

    Raises ``PluginFault`` for a name that leaves the folder or a file that cannot be read.
    """
    folder = plugin_directory(name).lstrip("/")
    ordered = sorted(files, key=lambda file: file.arcname)
    folders = dict.fromkeys((*parents(folder), folder))
    parts: list[Part] = []
    for file in ordered:
        check_name(file.arcname)
        inside = f"{folder}/{file.arcname}"
        missing = [above for above in parents(inside) if above not in folders]
        folders.update(dict.fromkeys(missing))
    parts.append(b"".join(directory_header(place) for place in folders))
    for file in ordered:
        data = _read(file)
        parts.append(file_header(f"{folder}/{file.arcname}", len(data), executable=file.executable) + data)
        parts.append(padding(len(data)))
    return layer_of("code", (*parts, END))


def check_name(arcname: str) -> None:
    """Raise ``PluginFault`` unless ``arcname`` is a relative path without detours."""
    pieces = arcname.split("/")
    if len(arcname) > _NAME_LIMIT or any(piece in ("", ".", "..") for piece in pieces) or "\0" in arcname:
        raise PluginFault("a file's name leaves the plugin's folder", where=arcname[:80], remedy="rename the file")


def _read(file: SourceFile) -> bytes:
    try:
        # What was a file when the plugin was listed may be a link by now: do not follow it out of the plugin.
        with os.fdopen(os.open(file.path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
            return stream.read()
    except OSError as reason:
        message = f"the file cannot be read: {reason.strerror}"
        raise PluginFault(message, where=file.arcname, remedy="make it a readable regular file") from reason
