"""A folder of plugins: each sub-folder with a manifest is one, with a verdict of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from toolchain.scan.model import ScanResult

_MANIFEST = "manifest.py"


@dataclass(frozen=True)
class Scanned:
    """One plugin's result under the name that a report shows."""

    label: str
    result: ScanResult


def plugins_in(target: Path) -> tuple[Path, ...]:
    """The plugins of a folder of plugins, by name; empty for a plugin, an archive, a file, or any other folder."""
    if not target.is_dir() or (target / _MANIFEST).exists():
        return ()
    return tuple(sorted(folder for folder in target.iterdir() if _is_plugin(folder)))


def strays_in(target: Path) -> tuple[str, ...]:
    """What lies in a folder of plugins beside them: no plugin's, so not scanned."""
    return tuple(sorted(path.name for path in target.iterdir() if not _is_plugin(path)))


def _is_plugin(folder: Path) -> bool:
    return folder.is_dir() and not folder.is_symlink() and (folder / _MANIFEST).is_file()
