"""Reads an archive that somebody sent: refused by name, or understood as every other program understands it."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from toolchain.core.digests import sha256_stream
from toolchain.core.errors import UsageFault
from toolchain.publish.archive.gzipstream import GzipStream
from toolchain.publish.archive.model import ArchiveLimits, ArchiveReading, ArchiveRefused, Sink, files_digest
from toolchain.publish.archive.tarstream import TarStream
from toolchain.publish.archive.zipstream import ZipStream


def read_archive(path: Path, limits: ArchiveLimits | None = None, sink: Sink | None = None) -> ArchiveReading:
    """Read the ``.tar.gz`` or ``.zip`` at ``path`` to its end, in fixed memory; content goes to ``sink``.

    What ``sink`` received counts only when this returns. Raises ``ArchiveRefused`` with a stable rule for path
    escapes, links, devices, duplicates, case collisions, pax and sparse tricks, second gzip members, trailing
    bytes, bombs and damage, and ``UsageFault`` when there is no such file.
    """
    limits = limits or ArchiveLimits()
    with _opened(path) as source:
        size = os.fstat(source.fileno()).st_size
        if size > limits.archive_bytes:
            raise ArchiveRefused("too-large", f"{size >> 20} MiB; at most {limits.archive_bytes >> 20} are taken")
        magic = source.read(4)
        source.seek(0)
        if magic.startswith(b"PK"):
            return _zip(source, size, limits, sink)
        return _tar(source, limits, sink)


def unpack_archive(path: Path, folder: Path, limits: ArchiveLimits | None = None) -> ArchiveReading:
    """Write the members below ``folder``, which must be empty or absent, without their top folder.

    Nothing that is there already is written through: files are made anew or not at all. On refusal some files may
    have been written. Raises as ``read_archive``.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def place(name: str, executable: bool) -> BinaryIO:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        return os.fdopen(os.open(target, flags, 0o755 if executable else 0o644), "wb")

    return read_archive(path, limits, place)


def _opened(path: Path) -> BinaryIO:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError as reason:
        raise UsageFault(
            f"the archive cannot be read: {reason.strerror}", where=str(path), remedy="pass a .tar.gz or .zip"
        ) from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageFault("the archive is not a regular file", where=str(path), remedy="pass a .tar.gz or .zip")
    return os.fdopen(descriptor, "rb", buffering=0)


def _tar(source: BinaryIO, limits: ArchiveLimits, sink: Sink | None) -> ArchiveReading:
    compressed = GzipStream(source, limits)
    tar = TarStream(compressed.chunks(), limits)
    members = tuple(sorted(tar.members(sink), key=lambda member: member.name))
    if tar.names.top is None or not members:
        raise ArchiveRefused("empty", "the archive holds no file")
    return ArchiveReading(
        format="tar.gz",
        top=tar.names.top,
        members=members,
        archive_sha256=compressed.sha256,
        archive_bytes=compressed.size,
        tar_sha256=tar.sha256,
        files_sha256=files_digest(members),
        canonical=tar.canonical,
    )


def _zip(source: BinaryIO, size: int, limits: ArchiveLimits, sink: Sink | None) -> ArchiveReading:
    archive = ZipStream(source, size, limits)
    members = tuple(sorted(archive.members(sink), key=lambda member: member.name))
    if archive.names.top is None or not members:
        raise ArchiveRefused("empty", "the archive holds no file")
    source.seek(0)
    return ArchiveReading(
        format="zip",
        top=archive.names.top,
        members=members,
        archive_sha256=sha256_stream(source)[0],
        archive_bytes=size,
        tar_sha256=archive.tar_sha256,
        files_sha256=files_digest(members),
        canonical=archive.canonical,
    )
