# a dispatcher over kinds
# ruff: noqa: C901
"""Findings in files that are not Python source: by what their content can make a program do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from toolchain.scan.contents import Problem
from toolchain.scan.pickles import pickle_problems
from toolchain.scan.policy import Policy

_YAML_TAG = re.compile(
    r"!!python/(object|name|module|apply|new|object/new|object/apply)|tag:yaml\.org,2002:python/"
)
_TARGET = re.compile(
    r"^\s*[\"']?(?:_target_|class_path|target|\(\))[\"']?\s*[:=]\s*[\"']?([A-Za-z_][\w.]*)", re.MULTILINE
)
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
_INVISIBLE = re.compile("[\u200b\u2060\u180e\u00ad\ufeff]")
_REMOTE = re.compile(r"[\"']?trust_remote_code[\"']?\s*[:=]\s*[Tt]rue")
_SECRETS = (
    ("AWS access key", re.compile(r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("private key", re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----")),
    ("GitHub token", re.compile(r"\bgh[pousr]_[A-Za-z0-9]{36,}\b")),
    ("Slack token", re.compile(r"\bxox[abpr]-[A-Za-z0-9-]{20,}\b")),
)


def content_problems(
    name: str, kind: str, data: bytes, policy: Policy, line_limit: int
) -> Iterator[tuple[Problem, int]]:
    """(problem, line) for one file that is not evaluated as Python."""
    for power, rule, message in _by_kind(name, kind, data):
        yield Problem(rule, message, name, power), 1
    if kind in {"yaml", "json", "configuration", "text", "python", "notebook", "path file"}:
        text = data.decode("utf-8", "replace")
        yield from _in_text(name, kind, text, policy)
        if kind != "python":
            return
        for number, line in enumerate(text.splitlines(), 1):
            if len(line) > line_limit:
                yield Problem("text.long-line", f"a line of {len(line)} characters", name, "U"), number
            if not line.isascii():
                yield from _misleading(name, number, line)


def _by_kind(name: str, kind: str, data: bytes) -> Iterator[tuple[str, str, str]]:
    if kind == "pickle" or (
        kind == "zip" and name.endswith((".pt", ".pth", ".npz", ".bin", ".ckpt", ".keras", ".joblib"))
    ):
        for imported, message in pickle_problems(data):
            yield "D", f"data.pickle-import.{imported}"[:80], message
    elif kind == "compiled python":
        yield "E", "file.bytecode", "compiled Python, whose source cannot be judged"
    elif kind in {"native library", "native source"}:
        yield "M", f"file.{kind.replace(' ', '-')}", f"{kind}: not judged, and not for a plugin"
    elif kind == "shell script":
        yield "P", "file.shell-script", "a shell script"
    elif kind in {"unknown binary", "zstd", "7z", "rar", "compressed"}:
        yield "U", "file.unknown", f"{kind}: nothing is known of its content"
    elif kind == "path file" and re.search(rb"^\s*import[ \t]", data, re.MULTILINE):
        yield "E", "file.path-import", "a .pth file whose import line runs at every start of Python"
    elif kind == "onnx" and re.search(rb"com\.(?!microsoft)\w+\.|PyOp|PythonOp", data[: 8 << 20]):
        yield "E", "model.custom-operator", "an ONNX model with operators of its own"


def _in_text(name: str, kind: str, text: str, policy: Policy) -> Iterator[tuple[Problem, int]]:
    if kind == "yaml":
        for match in _YAML_TAG.finditer(text):
            yield (
                Problem("data.yaml-tag", "a YAML tag that makes Python objects", name, "D"),
                _line(text, match.start()),
            )
    if kind in {"yaml", "json", "configuration"}:
        for match in _TARGET.finditer(text):
            rule = policy.match(policy.canonical(match.group(1)))
            if rule is not None and rule.default == "forbidden":
                message = f"a configuration that names {match.group(1)}"
                yield Problem(f"configuration.{rule.id}", message, name, rule.power), _line(text, match.start())
        if kind != "configuration" and (remote := _REMOTE.search(text)):
            yield (
                Problem("data.remote-code", "trust_remote_code in a configuration", name, "D"),
                _line(text, remote.start()),
            )
    if kind == "json" and '"auto_map"' in text and name.endswith("config.json"):
        yield Problem("data.remote-code", "auto_map: a model that brings its own code", name, "D"), 1
    if (
        kind == "configuration"
        and name.endswith("pyproject.toml")
        and re.search(r"^\s*backend-path\s*=", text, re.MULTILINE)
    ):
        yield Problem("file.build-hook", "a build backend inside the tree", name, "E"), 1
    for label, pattern in _SECRETS:
        if found := pattern.search(text):
            yield Problem("text.secret", f"what looks like a {label}", name, "T"), _line(text, found.start())


def _misleading(name: str, number: int, line: str) -> Iterator[tuple[Problem, int]]:
    if _BIDI.search(line):
        yield Problem("text.bidi", "a character that changes the direction of text", name, "T"), number
    if _INVISIBLE.search(line.lstrip("\ufeff") if number == 1 else line):
        yield Problem("text.invisible", "an invisible character", name, "T"), number


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1


def notebook_source(data: bytes) -> bytes:
    """The code cells of a notebook as one module; magics become calls that policy knows. Raises ``ValueError``."""
    document: Any = json.loads(data)
    lines: list[str] = []
    for cell in document["cells"]:
        if cell.get("cell_type") == "code":
            source = cell.get("source", "")
            for line in ("".join(source) if isinstance(source, list) else str(source)).splitlines():
                shell = line.lstrip().startswith(("!", "%%bash", "%%sh", "%system", "%sx"))
                lines.append("get_ipython().system('')" if shell else "pass" if line.startswith("%") else line)
    return "\n".join(lines).encode()
