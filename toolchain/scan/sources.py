"""Which files are judged as programs, and the program in those that are more than one."""

from __future__ import annotations

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
_SHELL_MAGICS = ("!", "%%bash", "%%sh", "%%script", "%system", "%sx", "%%system", "%%sx")


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
            text = "".join(source) if isinstance(source, list) else str(source)
            lines += map(_without_magic, text.split("\n"))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _without_magic(line: str) -> str:
    bare = line.lstrip()
    indent = line[: len(line) - len(bare)]
    if bare.startswith(_SHELL_MAGICS):
        return f"{indent}get_ipython().system('')"
    return f"{indent}pass" if bare.startswith("%") else line


def _import_lines(data: bytes) -> bytes:
    """What ``site`` executes of a .pth file, each on its own line."""
    return b"\n".join(line.strip() if _IMPORT_LINE.match(line) else b"" for line in data.splitlines())
