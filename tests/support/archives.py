"""Archives for the tests of the scan, hostile ones among them: small files, whatever they unpack to."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Mapping


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip archive of these files."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return out.getvalue()


def tarred(*members: tuple[str, bytes], mode: str = "w:gz") -> bytes:
    """A tar archive of these members, which may repeat a name."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def tar_of(info: tarfile.TarInfo) -> bytes:
    """A tar archive of one member without content, such as a link or a device."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(info)
    return out.getvalue()


def gzip_bomb(unpacked: int) -> bytes:
    """A ``.tar.gz`` of one member of zeros; gzip streams may follow one another, so they are packed once."""
    step = 64 << 20
    info = tarfile.TarInfo("plugin/zeros.bin")
    info.size = unpacked // step * step
    return gzip.compress(info.tobuf(tarfile.GNU_FORMAT)) + gzip.compress(bytes(step)) * (unpacked // step)


def zip_bomb(unpacked: int) -> bytes:
    """A zip archive of many members of zeros, packed once and repeated."""
    step = 64 << 20
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(step)) + packer.flush()
    fixed = (20, 0, 8, 0, 0, zlib.crc32(bytes(step)), len(packed), step)
    body, directory = b"", b""
    for number in range(unpacked // step):
        name = f"plugin/{number}.bin".encode()
        place = struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, len(body))
        directory += b"PK\x01\x02" + struct.pack("<HHHHHHIII", 20, *fixed) + place + name
        body += b"PK\x03\x04" + struct.pack("<HHHHHIII", *fixed) + struct.pack("<HH", len(name), 0) + name + packed
    count = unpacked // step
    return (
        body
        + directory
        + b"PK\x05\x06"
        + struct.pack("<HHHHIIH", 0, 0, count, count, len(directory), len(body), 0)
    )


def nested_zip(depth: int) -> bytes:
    """A zip archive in a zip archive, and so on."""
    data = zipped({"core.py": b"import subprocess\n"})
    for _ in range(depth):
        data = zipped({"inner.zip": data})
    return data
