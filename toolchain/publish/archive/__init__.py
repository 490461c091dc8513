"""The archive that is published: written in one canonical form, read as a stranger's.

``write_archive`` makes it; ``read_archive`` and ``unpack_archive`` accept a ``.tar.gz`` or ``.zip`` from anybody
and refuse by name whatever two programs could read differently.
"""

from toolchain.publish.archive.model import (
    ArchiveLimits,
    ArchiveReading,
    ArchiveRefused,
    Format,
    Member,
    files_digest,
)
from toolchain.publish.archive.reader import read_archive, unpack_archive
from toolchain.publish.archive.writer import ArchiveFile, write_archive

__all__ = [
    "ArchiveFile",
    "ArchiveLimits",
    "ArchiveReading",
    "ArchiveRefused",
    "Format",
    "Member",
    "files_digest",
    "read_archive",
    "unpack_archive",
    "write_archive",
]
