"""Archives by hand: every field of a tar as a test wants it."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

from toolchain.core.tarball import END, file_entry, header, padding
from toolchain.publish.archive import ArchiveFile, Format, write_archive

TOP = "my_plugin"


def entry(name: str | bytes, data: bytes = b"x", kind: bytes = b"0", **options: object) -> bytes:
    """A tar entry of any type."""
    raw = name if isinstance(name, str) else name.decode("latin-1")
    return header(raw, len(data), kind, int(options.get("mode", 0o644)), link=str(options.get("link", ""))) + (
        data + padding(len(data))
    )


def patched(block: bytes, offset: int, value: bytes) -> bytes:
    """A tar entry with some bytes of its header replaced and its checksum made right again."""
    head = bytearray(block[:512])
    head[offset : offset + len(value)] = value
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + block[512:]


def pax(records: bytes) -> bytes:
    """A pax header of its own; an entry must follow."""
    return header("././@PaxHeader", len(records), b"x", 0o644) + records + padding(len(records))


def record(key: str, value: str | bytes) -> bytes:
    """One pax record."""
    body = b" " + key.encode() + b"=" + (value if isinstance(value, bytes) else value.encode()) + b"\n"
    length = len(body) + 2
    length += len(str(length)) - 2
    return str(length).encode() + body


def tar_of(*entries: bytes) -> bytes:
    """A whole tar."""
    return b"".join(entries) + END


def gz(data: bytes) -> bytes:
    """One gzip member without a name."""
    return gzip.compress(data, 6, mtime=0)


def good(name: str = "a.py", data: bytes = b"x = 1\n") -> bytes:
    """An ordinary member below the top folder."""
    return file_entry(f"{TOP}/{name}", data)


def packed(folder: Path, target: Path, form: Format = "tar.gz", top: str = TOP) -> Path:
    """All files of ``folder`` as the canonical archive."""
    files = [
        ArchiveFile(p.relative_to(folder).as_posix(), p, p.stat().st_size, bool(p.stat().st_mode & 0o100))
        for p in folder.rglob("*")
        if p.is_file()
    ]
    with target.open("w+b") as stream:
        write_archive(top, files, stream, form)
    return target


def zip_of(*members: tuple[str, bytes], **changes: object) -> bytes:
    """A zip as ``zipfile`` writes it; ``changes`` are attributes of every member."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o100644 << 16
            info.create_system = 3
            info.compress_type = zipfile.ZIP_DEFLATED
            for key, value in changes.items():
                setattr(info, key, value)
            archive.writestr(info, data)
    return stream.getvalue()
