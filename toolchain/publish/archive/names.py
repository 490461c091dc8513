"""Which names a member may have: those that mean one and the same file to every program on every system."""

from __future__ import annotations

import unicodedata

from toolchain.plugin.tree import NAME_LIMIT
from toolchain.publish.archive.model import ArchiveLimits, ArchiveRefused

_TOP_LIMIT = 64


class MemberNames:
    """Collects the names of one archive and refuses the first that could mislead."""

    def __init__(self, limits: ArchiveLimits) -> None:
        self._limits = limits
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}
        self._folder_entries: set[str] = set()
        self.top: str | None = None

    def add_file(self, raw: bytes) -> str:
        """The name of a regular file below the top folder, decoded. Raises ``ArchiveRefused``."""
        name = _decoded(raw)
        parts = name.split("/")
        self._check(name, parts)
        if len(parts) < 2:
            raise ArchiveRefused("no-top-folder", "a file lies outside the one top folder", where=name)
        folded = name.casefold()
        if self._files.get(folded) == name:
            raise ArchiveRefused("duplicate", "two members have the same name", where=name)
        if folded in self._files:
            raise ArchiveRefused("case-collision", "two names differ in the case of letters only", where=name)
        if folded in self._folders:
            raise ArchiveRefused("file-and-folder", "a file has the name of a folder", where=name)
        self._files[folded] = name
        if len(self._files) > self._limits.files:
            raise ArchiveRefused("too-many-files", f"more than {self._limits.files:,} files")
        self._add_folders(parts[:-1])
        return name.partition("/")[2]

    def add_folder(self, raw: bytes) -> None:
        """Note a folder's own entry. Raises ``ArchiveRefused``."""
        name = _decoded(raw.removesuffix(b"/"))
        parts = name.split("/")
        self._check(name, parts)
        if name in self._folder_entries:
            raise ArchiveRefused("duplicate", "two members have the same name", where=name)
        self._folder_entries.add(name)
        if len(self._folder_entries) > 2 * self._limits.files:
            raise ArchiveRefused("too-many-files", f"more than {2 * self._limits.files:,} folders")
        self._add_folders(parts)

    def _check(self, name: str, parts: list[str]) -> None:
        _check_parts(name, parts)
        if self.top is None:
            self.top = parts[0]
        elif parts[0] != self.top:
            raise ArchiveRefused("two-top-folders", f"beside the top folder {self.top!a}", where=name)

    def _add_folders(self, parts: list[str]) -> None:
        for end in range(1, len(parts) + 1):
            folder = "/".join(parts[:end])
            folded = folder.casefold()
            if folded in self._files:
                raise ArchiveRefused("file-and-folder", "a file has the name of a folder", where=folder)
            if self._folders.setdefault(folded, folder) != folder:
                message = "two folders differ in the case of letters only"
                raise ArchiveRefused("case-collision", message, where=folder)


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise ArchiveRefused("name-encoding", "a name is not UTF-8", where=raw.decode(errors="replace")) from None


def _check_parts(name: str, parts: list[str]) -> None:
    if name.startswith("/") or (len(name) > 1 and name[1] == ":"):
        raise ArchiveRefused("absolute-path", "a name is an absolute path", where=name)
    if ".." in parts:
        raise ArchiveRefused("path-escape", "a name leaves the archive's folder", where=name)
    if "" in parts or "." in parts:
        raise ArchiveRefused("name-detour", "a name has empty parts or `.` in it", where=name)
    if "\\" in name:
        raise ArchiveRefused(
            "backslash", "a name holds a backslash, which separates folders elsewhere", where=name
        )
    if not name.isprintable():
        raise ArchiveRefused("name-control", "a name holds invisible characters", where=name)
    if unicodedata.normalize("NFC", name) != name:
        raise ArchiveRefused("name-not-nfc", "a name is not in Unicode's composed form", where=name)
    longest = _TOP_LIMIT + 1 + NAME_LIMIT
    if len(name.encode()) > longest or len(parts[0].encode()) > _TOP_LIMIT:
        raise ArchiveRefused("name-length", "a name is longer than the platform takes", where=name)
