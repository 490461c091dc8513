"""What a file is, by its content: nothing that can carry code passes under another name."""

from __future__ import annotations

import json
import pickle
import struct
import zlib

import pytest

from tests.support.archives import tarred, zipped
from toolchain.scan.contents import carries_code, classify

_HEADER = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
_PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("a.py", b"x", "python"),
        ("a.PY", b"\x7fELF", "python"),
        ("tool", b"#!/usr/bin/env python3\nx = 1\n", "python"),
        ("notes", b"#!/bin/sh\nls\n", "shell script"),
        ("a.png", b"\x7fELF" + bytes(40), "native library"),
        ("a.txt", b"MZ" + bytes(40), "native library"),
        ("a.md", b"MZ is a constant.\n", "text"),
        ("a.png", _PNG, "image"),
        ("a.dat", zipped({"a": b"b"}), "zip"),
        ("a.jpg", tarred(("a", b"b"), mode="w:gz"), "gzip"),
        ("a.bin", pickle.dumps([1]), "pickle"),
        ("a.txt", b"cos\nsystem\n(S'id'\ntR.", "pickle"),
        ("a.txt", b"(S'id'\nios\nsystem\n.", "pickle"),
        ("a.txt", b"cos and system are words.\n", "text"),
        ("a.pkl", b"anything", "pickle"),
        ("a.bin", struct.pack("<Q", len(_HEADER)) + _HEADER + bytes(4), "safetensors"),
        ("a.bin", b"\xa7\x0d\x0d\x0a" + bytes(12) + b"\xe3\x00", "compiled python"),
        ("a.pyc", b"text", "compiled python"),
        ("a.pth", b"import os\n", "path file"),
        ("a.ipynb", b"{}", "notebook"),
        ("a.bin", bytes(range(256)) * 8, "unknown binary"),
        ("a.bin", zlib.compress(b"x" * 100), "compressed"),
        ("a.bin", b"Rar!\x1a\x07" + bytes(20), "unread archive"),
        ("a.so", b"", "empty"),
        ("caf\u00e9.csv", "caf\u00e9,1\n".encode("latin-1") * 40, "text"),
        ("a.yaml", "a: 1\n".encode("utf-16"), "yaml"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_is_what_its_content_says(name: str, data: bytes, kind: str) -> None:
    assert classify(name, data) == kind


@pytest.mark.parametrize(
    ("kind", "data", "carries"),
    [
        ("image", _PNG, False),
        ("text", b"Plain words.\n", False),
        ("text", b"import os\nos.system('id')\n", True),
        ("json", b'{"a": 1}', False),
        ("unknown binary", b"\x00", True),
        ("path file", b"./lib\n", True),
    ],
)
def test_what_can_make_something_run_is_told(kind: str, data: bytes, carries: bool) -> None:
    assert carries_code(kind, data) is carries


@pytest.mark.parametrize("data", [b"\n" * 4_000_000, b"c" * 1_000_000 + b".", b" " * 4_000_000 + b"x"])
def test_a_text_made_to_keep_a_pattern_busy_does_not(data: bytes) -> None:
    assert classify("a.txt", data) == "text"
    carries_code("text", data)
