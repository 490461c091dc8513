"""ONNX models by the outermost fields of their protobuf message, as onnx.proto numbers them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from toolchain.scan.contents import Entry, Problem

_OPSET_IMPORT, _DOMAIN = 8, 1
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_KNOWN_DOMAINS = re.compile(rb"(?:(?:ai\.onnx|com\.microsoft|org\.pytorch|pkg\.onnxscript)(?:\.\w+)*)?")
# TensorProto.external_data: the key "location", then its value, a path beside the model.
_LOCATION = re.compile(rb"\x0a\x08location\x12.((?:/|[^\x00-\x1f]{0,200}?\.\./)[^\x00-\x1f]{0,200})", re.DOTALL)


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
    if found := _LOCATION.search(entry.data):
        shown = found.group(1)[:80].decode("utf-8", "replace")
        yield Problem("model.external-data", f"a model that reads {shown}", entry.name, 1, shown)


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
