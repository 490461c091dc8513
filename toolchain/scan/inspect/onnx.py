"""ONNX models by the outermost fields of their protobuf message, as onnx.proto numbers them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolchain.scan.contents import Entry, Problem

_OPSET_IMPORT, _DOMAIN = 8, 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_KNOWN_DOMAINS = re.compile(rb"(?:(?:ai\.onnx|com\.microsoft|org\.pytorch|pkg\.onnxscript)(?:\.\w+)*)?")
# TensorProto.external_data: the key "location" and a value, a path beside the model; either may come first.
_LOCATION = re.compile(rb"\x0a\x08location")
_VALUE = b"\x12"
_PATH_LIMIT = 4096 + 3  # Linux takes no longer path; a tag and a length stand before it


def onnx_problems(entry: Entry) -> Iterator[Problem]:
    """Operators from outside, weights from outside of the model's folder, and what is no ONNX at all."""
    try:
        domains = [
            value
            for number, message in _fields(entry.data)
            if number == _OPSET_IMPORT and isinstance(message, bytes)
            for inner, value in _fields(message)
            if inner == _DOMAIN and isinstance(value, bytes)
        ]
    except ValueError as reason:
        yield Problem("model.header", f"called .onnx, but no ONNX model: {reason}", entry.name)
        return
    for domain in domains:
        if not _KNOWN_DOMAINS.fullmatch(domain):
            shown = domain[:80].decode("utf-8", "replace")
            message = f"a model that needs operators of its own, which are native code: {shown}"
            yield Problem("model.custom-operator", message, entry.name, 1, shown)
    for path in _locations(entry.data):
        if path.startswith(b"/") or b".." in path.split(b"/"):
            shown = path[:80].decode("utf-8", "replace")
            yield Problem("model.external-data", f"a model that reads {shown}", entry.name, 1, shown)
            return


def _locations(data: bytes) -> Iterator[bytes]:
    """Every value that stands behind or before a key "location"."""
    last = 0
    for found in _LOCATION.finditer(data):
        if (behind := _value(data, found.end())) is not None:
            yield behind[0]
        # From the key before on, so that no byte is looked at twice, however many keys there are.
        position = data.find(_VALUE, max(found.start() - _PATH_LIMIT, last), found.start())
        while position >= 0:
            before = _value(data, position)
            if before is not None and before[1] == found.start():
                yield before[0]
            position = data.find(_VALUE, position + 1, found.start())
        last = found.end()


def _value(data: bytes, position: int) -> tuple[bytes, int] | None:
    """The value whose field begins here, and where it ends; ``None`` where none does."""
    if not data.startswith(_VALUE, position):
        return None
    try:
        size, start = _varint(data, position + 1)
    except ValueError:
        return None
    return (data[start : start + size], start + size) if start + size <= len(data) else None


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """(number, value) of one protobuf message. Raises ``ValueError`` where it is none."""
    position = 0
    while position < len(data):
        key, position = _varint(data, position)
        number, wire = key >> 3, key & 7
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, value
            continue
        if wire == _BYTES:
            size, position = _varint(data, position)
        else:
            size = {_FIXED64: 8, _FIXED32: 4}.get(wire, -1)
        if size < 0 or position + size > len(data) or number == 0:
            raise ValueError("a field that does not fit")
        yield number, data[position : position + size]
        position += size


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("a number that does not end")
