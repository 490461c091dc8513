"""Findings in what is no program: each rule with a bad file and an honest one beside it."""

from __future__ import annotations

import io
import json
import pickle
import struct

import numpy as np
import pytest

from tests.support.archives import zipped
from toolchain.scan import Limits
from toolchain.scan.contents import Entry, classify
from toolchain.scan.inspect import inspect_entry
from toolchain.scan.policy import load_policy

# Made up here, in the forms that the issuers publish; put together so that no other scanner takes this file for
# a leak.
_TOKEN = "hf" + "_" + "a" * 34
_KEY = "AKIA" + "QWERTYUIOPASDFGH"


def problems(name: str, data: bytes | str) -> list[tuple[str, int]]:
    content = data if isinstance(data, bytes) else data.encode()
    entry = Entry(name, content)
    found = inspect_entry(entry, classify(name, content), load_policy(), Limits(line_length=1000))
    return list(dict.fromkeys((problem.rule, problem.line) for problem in found))


def array(value: object, **options: bool) -> bytes:
    out = io.BytesIO()
    np.save(out, np.array(value, dtype=object if options.get("objects") else None), allow_pickle=True)
    return out.getvalue()


def tensors(offsets: list[int], size: int = 8) -> bytes:
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": offsets}}).encode()
    return struct.pack("<Q", len(header)) + header + bytes(size)


def field(number: int, data: bytes) -> bytes:
    size, length = len(data), b""
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


def onnx(domain: bytes, location: bytes = b"weights.bin", *, value_first: bool = False) -> bytes:
    parts = (field(1, b"location"), field(2, location))
    external = b"".join(reversed(parts) if value_first else parts)
    return b"\x08\x08" + field(7, field(5, field(13, external))) + field(8, field(1, domain) + b"\x10\x11")


@pytest.mark.parametrize(
    ("name", "data", "rules"),
    [
        ("a.yaml", "a: 1\nb: !!python/object/apply:os.system [id]\n", [("data.yaml-tag", 2)]),
        ("a.yaml", "a: !!%70ython/object/apply:os.system [id]\n", [("data.yaml-tag", 1)]),
        ("a.yaml", "a: !<tag:yaml.org,2002:python/object/apply:os.system> [id]\n", [("data.yaml-tag", 1)]),
        ("a.yaml", "%TAG !p! tag:yaml%2Eorg,2002:pyth\n---\na: !p!on/name:os.system\n", [("data.yaml-tag", 1)]),
        ("a.yaml", "%TAG !p! tag:\n---\na: !p!yaml.org,2002:p 1\n", [("data.yaml-tag", 1)]),
        ("m/modules.json", '[{"idx": 0, "type": "joblib.numpy_pickle"}]', [("data.remote-code", 1)]),
        ("a.ini", "[handler_h]\nargs=(__import__('os'),)\n", [("code.builtin", 2)]),
        (
            "a.ini",
            "[handler_h]\nclass=StreamHandler\nargs=(sys.stdout,\n  os.popen('id'))\n",
            [("code.builtin", 3)],
        ),
        ("a.ini", "[handler_h]\nclass=FileHandler\nargs=('app.log', 'a')\n", []),
        ("a.ini", "[tool]\nargs=__import__\n", []),
        (
            "a.yaml",
            "%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!object/apply:os.system\n",
            [("data.yaml-tag", 1)],
        ),
        ("a.yaml", "a: !!python/name:os.system\n".encode("utf-16"), [("data.yaml-tag", 1)]),
        ("a.txt", "a: !!python/object/new:os.system []\n", [("data.yaml-tag", 1)]),
        ("a.yaml", "a: !include b.yaml\nc: !!str d\n", []),
        ("a.yaml", "model:\n  _target_: os.system\n", [("process.os", 2)]),
        ("a.json", '{"x": {"_target_": "subprocess.run"}}', [("process.subprocess", 1)]),
        ("a.json", '{"\\u005ftarget_": "os.\\u0073ystem"}', [("process.os", 1)]),
        ("a.toml", 'class_path = "os.system"\n', [("process.os", 1)]),
        ("a.ini", "[h]\n() = os.system\n", [("process.os", 2)]),
        ("a.yaml", "_target_: torch.nn.Linear\ntarget: os.system is a word\n", [("process.os", 2)]),
        ("a.yaml", "_target_: torch.nn.Linear\ntarget: 5\n", []),
        ("a.json", '{"trust_remote_code": true}', [("data.remote-code", 1)]),
        ("a.json", '{"trust_remote_code": false}', []),
        ("m/config.json", '{\n"auto_map": {"AutoModel": "x.Y"}}', [("data.remote-code", 2)]),
        ("m/config.json", '{"architectures": ["BertModel"]}', []),
        ("model.json", '{"class_name": "Lambda"}', [("model.lambda-layer", 1)]),
        ("model.json", '{"class_name": "Dense"}', []),
        ("pyproject.toml", '[build-system]\nbackend-path = ["."]\n', [("file.build-hook", 2)]),
        ("pyproject.toml", "[tool.hatch.build.hooks.custom]\n", [("file.build-hook", 1)]),
        ("pyproject.toml", '[build-system]\nbuild-backend = "hatchling.build"\n', []),
        ("a.pth", "./lib\nimport os\n", [("file.path-import", 2)]),
        ("a.pth", "./lib\n# import os\n", []),
        ("a.pkl", pickle.dumps(print), [("data.pickle-import", 1)]),
        ("a.pkl", pickle.dumps({"a": [1.0, "x"]}), []),
        ("a.pkl", b"\x80\x04", [("data.pickle-unread", 1)]),
        ("a.npy", array([print], objects=True), [("data.pickle-import", 1)]),
        ("a.npy", array([1.0, 2.0]), []),
        ("a.safetensors", tensors([0, 8]), []),
        ("a.safetensors", tensors([0, 9]), [("model.header", 1)]),
        ("a.onnx", onnx(b""), []),
        ("a.onnx", onnx(b"ai.onnx.ml"), []),
        ("a.onnx", onnx(b"evil.ops"), [("model.custom-operator", 1)]),
        ("a.onnx", onnx(b"", b"../../etc/passwd"), [("model.external-data", 1)]),
        ("a.onnx", onnx(b"", b"/" * 300 + b"etc/passwd"), [("model.external-data", 1)]),
        ("a.onnx", onnx(b"", b"./" * 150 + b"../etc/passwd"), [("model.external-data", 1)]),
        ("a.onnx", onnx(b"", b"/etc/passwd", value_first=True), [("model.external-data", 1)]),
        ("a.onnx", onnx(b"", b"weights..bin", value_first=True), []),
        ("a.onnx", b"\x00\xff" * 20, [("model.header", 1)]),
        ("a.png", b"\x89PNG" + bytes(40) + zipped({"a.py": b"1"}), [("file.polyglot", 1)]),
        ("a.bin", bytes(range(256)) * 8, [("file.unknown", 1)]),
        ("a.so", b"\x7fELF" + bytes(40), [("file.native-library", 1)]),
        ("a.c", "int main() {}\n", [("file.native-source", 1)]),
        ("run", "#!/bin/sh\nls\n", [("file.shell-script", 1)]),
        ("a.py", "x = 1  # \u202e\n", [("text.bidi", 1)]),
        ("a.py", "x = 'a\u200bb'\n", [("text.invisible", 1)]),
        ("a.py", "\ufeffx = 1\n", []),
        ("a.py", "\n\u0435val = 1\n", [("text.homoglyph", 2)]),
        ("a.py", "\U0001d41eval('1')\n", [("text.homoglyph", 1)]),
        ("a.py", "# \u0435val \u2102, and a \u0394t\n\u0394t = '\u0440\u0443\u0441'\n", []),
        ("a.py", "x = '" + "y" * 1001 + "'\n", [("text.long-line", 1)]),
        ("a.py", "# coding: latin-1\nx = '\xe9'\n".encode("latin-1"), []),
        ("a.py", f"\nx = '{_TOKEN}'\n", [("text.secret", 2)]),
        ("a.json", f'{{"key": "{_KEY}"}}', [("text.secret", 1)]),
        ("a.py", "x = 'hf_hub_download'\ny = 'AKIAEXAMPLE'\n", []),
        ("a.txt", "Plain words, e.g. about eval().\n", []),
        ("a.csv", "text\nhello\n", []),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 20 else "",
)
def test_a_file_has_exactly_these_problems(name: str, data: bytes | str, rules: list[tuple[str, int]]) -> None:
    assert problems(name, data) == rules


@pytest.mark.parametrize(
    "data",
    [
        "[" * 200_000,
        " " * 4_000_000 + "x",
        "_target_:" * 300_000,
        "!" * 2_000_000,
        "%TAG ! " * 300_000,
        "(i" * 500_000,
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.yaml", "a.txt", "a.py"])
def test_a_text_made_to_keep_a_pattern_busy_does_not(name: str, data: str) -> None:
    assert all(rule in {"text.long-line", "data.yaml-tag"} for rule, _ in problems(name, data))
