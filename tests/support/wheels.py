"""Wheels made by hand, as an index or a test of the reader needs them."""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile


def wheel_bytes(name, files=None, *, version="1.0", entries=(), requires=()):
    """A wheel of one module and ``files`` (names to bytes); ``entries`` are (ZipInfo, bytes) as they stand."""
    dist_info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {line}\n" for line in requires)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
    contents = {
        f"{name}/__init__.py": f"name = {name!r}\n".encode(),
        f"{dist_info}/METADATA": metadata.encode(),
        f"{dist_info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **(files or {}),
    }
    rows = [f"{file},{digest(data)},{len(data)}" for file, data in contents.items()]
    rows += [f"{info.filename},{digest(data)},{len(data)}" for info, data in entries]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, data in contents.items():
            archive.writestr(file, data)
        for info, data in entries:
            archive.writestr(info, data)
        archive.writestr(f"{dist_info}/RECORD", "\n".join([*rows, f"{dist_info}/RECORD,,"]))
    return stream.getvalue()


def digest(data):
    """As RECORD writes it."""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
