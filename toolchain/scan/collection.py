"""A folder of plugins: each sub-folder with a manifest is one, with a verdict of its own."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from toolchain.core.errors import UsageFault
from toolchain.scan.model import ScanResult

_MANIFEST = "manifest.py"
# What is scanned for its name's sake, even if nothing is in it.
_CODE_SUFFIXES = (".py", ".pyi", ".pyw", ".ipynb", ".pth", ".pkl", ".pickle", ".joblib", ".dill")


@dataclass(frozen=True)
class Scanned:
    """One plugin's result under the name that a report shows."""

    label: str
    result: ScanResult


def plugins_in(target: Path) -> tuple[Path, ...]:
    """The plugins of a folder of plugins, by name; empty for a plugin, an archive, a file, or any other folder."""
    if not os.path.isdir(target) or os.path.exists(target / _MANIFEST):  # noqa: PTH110, PTH112 - raise nothing
        return ()
    try:
        return tuple(sorted(folder for folder in target.iterdir() if _is_plugin(folder)))
    except PermissionError:
        return ()  # the scan of the folder itself reports it


def require_code(target: Path, result: ScanResult) -> None:
    """Raise ``UsageFault`` where the scan saw nothing to judge: a wrong path must not read as passed."""
    if result.findings or any(
        item.carries_code or item.name.lower().endswith(_CODE_SUFFIXES) for item in result.inventory
    ):
        return
    count = len(result.inventory)
    raise UsageFault(
        f"nothing here looks like a plugin: of {count} file{'s' * (count != 1)} none is code or {_MANIFEST}",
        where=str(target),
        remedy="pass the folder that holds manifest.py, its archive, or a folder of plugins",
    )


def strays_in(target: Path) -> tuple[str, ...]:
    """What lies in a folder of plugins beside them: no plugin's, so not scanned."""
    return tuple(sorted(path.name for path in target.iterdir() if not _is_plugin(path)))


def _is_plugin(folder: Path) -> bool:
    # The functions of os.path answer False where a folder may not be searched, which Path's raise for.
    is_folder = os.path.isdir(folder) and not os.path.islink(folder)  # noqa: PTH112, PTH114
    return is_folder and os.path.isfile(folder / _MANIFEST)  # noqa: PTH113
