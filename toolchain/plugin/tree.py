"""A plugin's folder as the list of files that belong to it."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from toolchain.core.errors import PluginFault, UsageFault
from toolchain.core.files import read_regular
from toolchain.core.findings import Finding, error
from toolchain.plugin.ignore import IgnoreRules

FILE_LIMIT = 1_000
SIZE_LIMIT = 500 << 20
NAME_LIMIT = 255  # bytes of a path in the plugin
# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file: devices, separators, ends that are dropped
_PLAIN_NAME = "rename the file; letters, digits, `_`, `-` and `.` work everywhere"
_WINDOWS = re.compile(
    r'[<>:"|?*]|(?:^|/)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.[^/]*)?(?:/|$)|[. ](?:/|$)', re.IGNORECASE
)


@dataclass(frozen=True)
class PluginFile:
    """One file: its path in the plugin with ``/``, where it lies, its size in bytes, and its executable bit."""

    name: str
    path: Path
    size: int
    executable: bool


@dataclass(frozen=True)
class PluginTree:
    """The files of a plugin sorted by name, and what stands against some of them.

    Where ``oversized``, there are more than a plugin may have, and none is listed.
    """

    root: Path
    files: tuple[PluginFile, ...]
    findings: tuple[Finding, ...] = ()
    oversized: bool = False

    def __contains__(self, name: str) -> bool:
        """Whether the plugin has a file of this name."""
        return any(file.name == name for file in self.files)

    def read(self, name: str) -> bytes:
        """The bytes of one of the plugin's files. Raises ``PluginFault`` when it cannot be read."""
        return read_regular(self.root, name, limit=SIZE_LIMIT)

    @property
    def python_files(self) -> tuple[PluginFile, ...]:
        """The ``.py`` files."""
        return tuple(file for file in self.files if file.name.endswith(".py"))


def read_tree(folder: Path) -> PluginTree:
    """List what belongs to the plugin in ``folder``.

    What ``toolchain.plugin.ignore`` names is left out; links, devices, names that an archive cannot carry
    everywhere and what is over the platform's limits become findings. Raises ``UsageFault`` when ``folder`` is no
    folder.
    """
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises where a folder above may not be searched
        what = "is a file" if os.path.isfile(folder) else "does not exist"  # noqa: PTH113
        raise UsageFault(
            f"the plugin folder {what}",
            where=_shown(folder),
            remedy="pass the folder that holds manifest.py with --path, or make one with `mixpeek plugin init`",
        )
    root = folder.resolve()
    files, findings = [], []
    # Somebody's home given by mistake has millions of files: one over the limit is enough to know.
    entries = sorted(islice(_walk(root, IgnoreRules(root)), FILE_LIMIT + 1))
    if len(entries) > FILE_LIMIT:
        return PluginTree(root, (), (_too_many(),), oversized=True)
    for name, path in entries:
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue  # an editor's or a test's own file that is gone again
        except PermissionError as reason:
            raise _unreadable(reason) from None
        if (problem := _name_problem(name)) is not None:
            findings.append(problem)
        elif stat.S_ISREG(status.st_mode):
            files.append(PluginFile(name, path, status.st_size, bool(status.st_mode & 0o100)))
        else:
            findings.append(_not_regular(name, status.st_mode))
    findings += [*_collisions([name for name, _ in entries]), *_too_large(files)]
    return PluginTree(root, tuple(files), tuple(findings))


def _walk(root: Path, rules: IgnoreRules) -> Iterator[tuple[str, Path]]:
    def refuse(reason: OSError) -> None:
        raise _unreadable(reason)

    for folder, names, files in os.walk(root, onerror=refuse):
        inside = Path(folder).relative_to(root)
        names[:] = sorted(name for name in names if not rules.ignores_folder((inside / name).as_posix()))
        links = [name for name in names if os.path.islink(Path(folder, name))]  # noqa: PTH114 - raises nothing
        for name in [*files, *links]:
            path = inside / name
            if not rules.ignores_file(path.as_posix()):
                yield path.as_posix(), root / path


def _unreadable(reason: OSError) -> PluginFault:
    return PluginFault(
        f"the plugin cannot be read here: {reason.strerror}",
        where=_shown(reason.filename),
        remedy="check its permissions, or name it in .mixpeekignore if it is no part of the plugin",
    )


def _name_problem(name: str) -> Finding | None:
    if not name.isprintable() or "\\" in name:
        return _strange_name(name)
    if unicodedata.normalize("NFC", name) != name:
        return _decomposed(name)
    if _WINDOWS.search(name):
        return _windows_name(name)
    return _long_name(name) if len(name.encode()) > NAME_LIMIT else None


def _strange_name(name: str) -> Finding:
    """A name that is no text would not come through an archive, and its controls would steer a terminal."""
    message = "the name holds a backslash, invisible characters or bytes that are not UTF-8"
    return error("structure.file-name", message, _PLAIN_NAME, file=ascii(name)[1:-1])


def _windows_name(name: str) -> Finding:
    message = "Windows cannot have a file of this name: it would be a device, a stream or another file there"
    return error("structure.file-name", message, _PLAIN_NAME, file=name)


def _decomposed(name: str) -> Finding:
    """Such a name looks like its composed twin, and systems differ on whether it is the same file."""
    message = "the name is not in Unicode's composed form (NFC): systems differ on which file it names"
    composed = unicodedata.normalize("NFC", name)
    return error("structure.file-name", message, f"rename the file to {composed!r}", file=name)


def _long_name(name: str) -> Finding:
    message = f"the path is longer than {NAME_LIMIT} bytes, which is all that an archive carries everywhere"
    return error("structure.file-name", message, "use shorter names or fewer folders", file=name)


def _collisions(names: list[str]) -> list[Finding]:
    """Names that differ in case only are one file on macOS and Windows: which one would be a guess."""
    first: dict[str, str] = {}
    found = []
    for name in names:
        twin = first.setdefault(name.casefold(), name)
        if twin != name:
            message = f"the name differs from {twin!a} in the case of letters only"
            found.append(error("structure.name-collision", message, "rename one of them", file=name))
    return found


def _shown(path: str | Path) -> str:
    return os.fsencode(path).decode(errors="replace")


def _not_regular(name: str, mode: int) -> Finding:
    if stat.S_ISLNK(mode):
        remedy = "replace the link by a copy of what it points to"
        return error("structure.link", "a symbolic link cannot be part of a plugin", remedy, file=name)
    return error("structure.special-file", "neither a file nor a folder", "remove it from the plugin", file=name)


def _too_many() -> Finding:
    message = f"the folder has more than {FILE_LIMIT:,} files, which is all that the platform takes"
    remedy = "name the plugin's own folder, or remove what the plugin does not need"
    return error("structure.too-many-files", message, remedy)


def _too_large(files: list[PluginFile]) -> list[Finding]:
    total = sum(file.size for file in files)
    if total <= SIZE_LIMIT:
        return []
    message = f"the plugin holds {total / 2**20:.0f} MiB; the platform takes {SIZE_LIMIT >> 20} MiB"
    return [error("structure.too-large", message, "publish large models separately and load them by id")]
