"""What an archive holds, what it may hold, and the one error for what it may not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import BinaryIO, Literal

from toolchain.core.digests import sha256_json
from toolchain.core.errors import PluginFault
from toolchain.plugin.tree import FILE_LIMIT, SIZE_LIMIT

Format = Literal["tar.gz", "zip"]
Sink = Callable[[str, bool], AbstractContextManager[BinaryIO]]
"""Opens a place for a member's content, by its name below the top folder and its executable bit."""


class ArchiveRefused(PluginFault):
    """An archive is not one that every program reads alike; ``rule`` names the trick or the damage.

    Rules are stable: programs may match them.
    """

    id = "archive-refused"

    def __init__(self, rule: str, message: str, *, where: str | None = None) -> None:
        """``where`` is the member's name, made printable."""
        shown = None if where is None else ascii(where[:200])[1:-1]
        remedy = "make the archive with `mixpeek plugin pack`; if it was, do not trust what delivered it"
        super().__init__(f"{message} [archive.{rule}]", where=shown, remedy=remedy)
        self.rule = f"archive.{rule}"


@dataclass(frozen=True)
class ArchiveLimits:
    """Bounds of one archive: sizes in bytes; ``ratio`` of unpacked to packed counts from 32 MiB on."""

    archive_bytes: int = SIZE_LIMIT
    extracted_bytes: int = SIZE_LIMIT
    files: int = FILE_LIMIT
    ratio: int = 200


@dataclass(frozen=True)
class Member:
    """A regular file: its name below the top folder, size in bytes, executable bit and SHA-256."""

    name: str
    size: int
    executable: bool
    sha256: str


@dataclass(frozen=True)
class ArchiveReading:
    """An archive that was read to its end.

    ``top`` is its one folder, ``members`` are sorted by name. ``archive_sha256`` is of the file's bytes.
    ``files_sha256`` is of the list of members. ``canonical`` says that writing the same members again gives the
    same tar byte for byte (a zip: the same order and headers). ``tar_sha256`` is of the tar, whatever compressed
    it; for a zip, of the canonical tar of its members.
    """

    format: Format
    top: str
    members: tuple[Member, ...]
    archive_sha256: str
    archive_bytes: int
    tar_sha256: str
    files_sha256: str
    canonical: bool

    @property
    def extracted_bytes(self) -> int:
        """Size of all members together."""
        return sum(member.size for member in self.members)


def files_digest(members: Iterable[Member]) -> str:
    """The digest of the list of files: names, sizes, executable bits and contents, and nothing else."""
    listed = sorted((member.name, member.size, member.executable, member.sha256) for member in members)
    return sha256_json([list(entry) for entry in listed])
