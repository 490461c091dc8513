"""The members of archives, in memory and within limits; what cannot be read is a problem, never skipped."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Iterator

from toolchain.scan.contents.kinds import archive_kind
from toolchain.scan.contents.model import Entry, Exhausted, Reading, TooLarge
from toolchain.scan.contents.unpacking import Unpacked

_ZIP_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})  # others may ask for gigabytes of memory
_DIRECTORY_ENTRY = b"PK\x01\x02"


def members(entry: Entry, reading: Reading, *, depth: int = 1, top: bool = False) -> Iterator[Entry]:
    """The members of an archive and of the archives in it; nothing when the entry is no archive."""
    kind = archive_kind(entry.data)
    if kind is None:
        return
    if depth > reading.limits.nesting + 1:
        reading.problem("limit.nesting", "archives nested deeper than a scan follows", entry.name)
        return
    prefix = "" if top else f"{entry.name}!/"
    try:
        for name, data in _read(entry, kind, prefix, reading):
            inner = reading.admit(prefix + name, data)
            yield inner
            yield from members(inner, reading, depth=depth + 1)
    except TooLarge:
        reading.problem("limit.archive", "unpacks to more than a scan reads", entry.name)
    except (Exhausted, GeneratorExit):
        raise
    except Exception as reason:  # noqa: BLE001 - a hostile archive provokes errors of every kind, each a finding
        reading.problem("archive.broken", f"an archive that cannot be read ({_said(reason)})", entry.name)


def _read(entry: Entry, kind: str, prefix: str, reading: Reading) -> Iterator[tuple[str, bytes]]:
    if kind == "zip":
        yield from _zip(entry.data, prefix, reading)
    elif kind == "tar":
        yield from _tar(_Plain(entry.data), prefix, reading)
    elif _holds_tar(entry.data, kind, reading):
        yield from _tar(Unpacked(entry.data, kind, reading), prefix, reading)
    else:
        stem = entry.name.rpartition("/")[2].rpartition(".")[0]
        yield stem or "content", _whole(Unpacked(entry.data, kind, reading), reading)


def _zip(data: bytes, prefix: str, reading: Reading) -> Iterator[tuple[str, bytes]]:
    limits = reading.limits
    if data.count(_DIRECTORY_ENTRY) > 4 * limits.files:
        raise TooLarge
    unpacked = 0
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        infos = [info for info in archive.infolist() if not info.is_dir()]
        first = min((info.header_offset for info in archive.infolist()), default=archive.start_dir)
        if first and data.startswith(b"PK"):
            # Whoever reads from the front, as a stream does, finds other members than the directory names.
            reading.problem("archive.hidden", "an archive before the archive", prefix or "the archive")
        for info in infos:
            reading.tick()
            if stat.S_ISLNK(info.external_attr >> 16):
                reading.problem("archive.member", "a link in an archive", prefix + info.filename)
                continue
            body = _zip_member(archive, info, prefix, reading)
            if body is None:
                continue
            unpacked += len(body)
            if unpacked > limits.ratio_floor and unpacked > limits.ratio * len(data):
                raise TooLarge
            yield _judged_name(info.filename, prefix, reading), body


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, prefix: str, reading: Reading) -> bytes | None:
    limits = reading.limits
    if info.compress_type not in _ZIP_METHODS:
        reading.problem("archive.member", "compressed in a way that a scan does not read", prefix + info.filename)
        return None
    most = min(limits.file_bytes, max(limits.ratio_floor, limits.ratio * max(info.compress_size, 1)))
    try:
        with archive.open(info) as stream:
            body = stream.read(most + 1)
    except Exception as reason:  # noqa: BLE001 - encrypted, damaged, contradictory: one member, one finding
        reading.problem("archive.member", f"cannot be read ({_said(reason)})", prefix + info.filename)
        return None
    if len(body) > most:
        raise TooLarge
    return body


class _Plain:
    """Bytes as a stream that is read in order."""

    def __init__(self, data: bytes) -> None:
        self._stream = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._stream.read(size)


def _tar(stream: _Plain | Unpacked, prefix: str, reading: Reading) -> Iterator[tuple[str, bytes]]:
    # The type stubs want a whole file object; tarfile's stream mode calls read(size) alone.
    with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
        for member in archive:
            reading.tick()
            if member.isdir():
                continue
            if not member.isreg() or member.issparse():
                reading.problem("archive.member", "a link, a device or a sparse file", prefix + member.name)
                continue
            if member.size > reading.limits.file_bytes:
                raise TooLarge
            body = archive.extractfile(member)
            yield _judged_name(member.name, prefix, reading), b"" if body is None else body.read()
    while chunk := stream.read(1 << 16):
        if chunk.strip(b"\0"):
            raise EOFError("data after the end of the archive")


def _holds_tar(data: bytes, kind: str, reading: Reading) -> bool:
    stream, head = Unpacked(data, kind, reading), b""
    while len(head) < 512 and (chunk := stream.read(512)):
        head += chunk
    return archive_kind(head) == "tar"


def _whole(stream: Unpacked, reading: Reading) -> bytes:
    parts, size = [], 0
    while chunk := stream.read(1 << 16):
        parts.append(chunk)
        size += len(chunk)
        if size > reading.limits.file_bytes:
            raise TooLarge
    return b"".join(parts)


def _judged_name(name: str, prefix: str, reading: Reading) -> str:
    parts = name.replace("\\", "/").split("/")
    if name.startswith("/") or ".." in parts or "\\" in name or name[1:2] == ":":
        reading.problem("archive.member", "a path that leads out of the archive", prefix + name)
    return name


def _said(reason: Exception) -> str:
    return f"{type(reason).__name__}: {reason}"[:120]
