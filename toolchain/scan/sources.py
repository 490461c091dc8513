"""Which files are judged as programs, and the program in those that are more than one."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from typing import Any

from toolchain.scan.contents import Problem, looks_like_python
from toolchain.scan.gathering import Kept

# Text that may hold a program under another name; whether it does, the parser decides.
_PROGRAMS = frozenset({"python", "notebook", "path file"})
_MAYBE = frozenset({"text", "json", "yaml", "configuration", "shell script"})
_IMPORT_LINE = re.compile(rb"[ \t]*import[ \t]")
# Magics that start a program or another interpreter; packages run their own code when they are installed.
_PROGRAM_MAGICS = (
    r"(?:system|sx|bash|sh|script|cmd|run|pip|conda|mamba|uv|perl|ruby|python[23]?|pypy|cython|R|julia)"
)
_SHELL_LINE = re.compile(rf"(\s*)(?:[\w\[\], .*]+=\s*)?(?:!|%%?{_PROGRAM_MAGICS}\b)")
_CELL_MAGIC = re.compile(r"\s*%%(\w+)")
_RUNS_PYTHON = frozenset(
    {"time", "timeit", "capture", "prun", "memit", "mprun", "debug", "writefile", "file", "px"}
)
_TIMED = re.compile(r"(\s*)%(?:time|timeit|prun|memit)\s+(?:-\w+\s+(?:\d+\s+)?)*(.+)")
_HELP = re.compile(r"\s*\?|.*\?\s*$")


def program_sources(kept: Mapping[str, Kept]) -> tuple[dict[str, bytes], list[Problem]]:
    """Source by file name, and the problems of notebooks that cannot be read."""
    sources: dict[str, bytes] = {}
    problems: list[Problem] = []
    for name, file in kept.items():
        if file.kind == "python" or (file.kind in _MAYBE and looks_like_python(file.data)):
            sources[name] = file.data
        elif file.kind == "path file":
            sources[name] = _import_lines(file.data)
        elif file.kind == "notebook":
            try:
                sources[name] = notebook_source(file.data)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                problems.append(Problem("file.unparsed", "a notebook that cannot be read", name))
    return sources, problems


def claimed_programs(kept: Mapping[str, Kept]) -> frozenset[str]:
    """The files that claim to be programs: one that does not parse is a finding."""
    return frozenset(name for name, file in kept.items() if file.kind in _PROGRAMS)


def notebook_source(data: bytes) -> bytes:
    """The code cells of a notebook as one module; magics become calls that policy knows. Raises ``ValueError``."""
    document: Any = json.loads(data)
    lines: list[str] = []
    for cell in document["cells"]:
        if cell.get("cell_type") == "code":
            source = cell.get("source", "")
            lines += _cell_lines("".join(source) if isinstance(source, list) else str(source))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _cell_lines(text: str) -> list[str]:
    """A cell's lines; where it is Python as it stands, none of them is a magic."""
    lines = text.split("\n")
    if _parses(text):
        return lines
    first = next((position for position, line in enumerate(lines) if line.strip()), 0)
    magic = _CELL_MAGIC.match(lines[first])
    body = "\n".join(map(_without_magic, lines[first + 1 :]))
    if magic and (magic[1] not in _RUNS_PYTHON or not _parses(body)):
        # Another language: what counts is who reads it.
        return [*lines[:first], _without_magic(lines[first]), *("" for _ in lines[first + 1 :])]
    return [_without_magic(line) for line in lines]


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _without_magic(line: str) -> str:
    if found := _SHELL_LINE.match(line):
        return f"{found[1]}get_ipython().system('')"
    if found := _TIMED.match(line):
        return f"{found[1]}{found[2]}" if _parses(found[2]) else f"{found[1]}pass"
    bare = line.lstrip()
    if bare.startswith("%") or (_HELP.match(line) and not _parses(bare)):
        return f"{line[: len(line) - len(bare)]}pass"
    return line


def _import_lines(data: bytes) -> bytes:
    """What ``site`` executes of a .pth file, each on its own line."""
    return b"\n".join(line.strip() if _IMPORT_LINE.match(line) else b"" for line in data.splitlines())
