"""Where requirements are written: ``requirements.txt`` and ``pyproject.toml``."""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from toolchain.core.findings import Finding, error
from toolchain.core.toml import parse_toml

_SIZE_LIMIT: Final = 1 << 20
_COMMENT: Final = re.compile(r"(^|\s)#.*$")
_CREDENTIALS: Final = re.compile(r"(?<=//)[^/@\s]+@")

Read = tuple[list["Line"], list[Finding]]


@dataclass(frozen=True)
class Line:
    """One requirement as written, without its comment; ``number`` counts from 1."""

    text: str
    file: str
    number: int | None

    @property
    def shown(self) -> str:
        """The text for a message: credentials hidden, cut at 120 characters."""
        text = redact(self.text)
        return text if len(text) <= 120 else text[:117] + "..."


def redact(text: str) -> str:
    """``text`` with the user and password of every URL hidden."""
    return _CREDENTIALS.sub("***@", text)


def read_requirements_file(root: Path) -> Read:
    """The lines of ``requirements.txt``, comments and blank lines dropped."""
    text, problems = _read_text(root, "requirements.txt")
    numbered = enumerate(text.splitlines(), start=1)
    stripped = ((number, _COMMENT.sub("", line).strip()) for number, line in numbered)
    return [Line(line, "requirements.txt", number) for number, line in stripped if line], problems


def read_pyproject(root: Path) -> Read:
    """The strings of ``[project] dependencies`` in ``pyproject.toml``."""
    name = "pyproject.toml"
    text, problems = _read_text(root, name)
    if not text:
        return [], problems
    try:
        document = parse_toml(text.encode())
    except ValueError as reason:
        message = f"pyproject.toml is not valid TOML: {reason}"
        return [], [error("requirements.file", message, "correct the file, or remove it", file=name)]
    project = document.get("project", {})
    entries = project.get("dependencies", []) if isinstance(project, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        message = "[project] dependencies is not a list of strings"
        remedy = 'write `dependencies = ["pandas>=2.2"]` under [project]'
        return [], [error("requirements.file", message, remedy, file=name)]
    return [Line(entry.strip(), name, _line_of(entry, text)) for entry in entries], []


def _line_of(entry: str, text: str) -> int | None:
    """The line on which ``entry`` stands as a string: TOML readers do not say."""
    quoted = (f'"{entry}"', f"'{entry}'")
    for number, line in enumerate(text.splitlines(), start=1):
        if any(form in line for form in quoted):
            return number
    return None


def _read_text(root: Path, name: str) -> tuple[str, list[Finding]]:
    path = root / name
    try:
        status = path.lstat()
    except OSError:
        return "", []
    if not stat.S_ISREG(status.st_mode):
        # A link would let a plugin show us, and its reader, any file of this machine.
        return "", [
            error("requirements.file", f"{name} is not a regular file", "replace it with a file", file=name)
        ]
    if status.st_size > _SIZE_LIMIT:
        return "", [
            error("requirements.file", f"{name} is larger than 1 MiB", "keep only requirements", file=name)
        ]
    try:
        return path.read_text(encoding="utf-8-sig"), []
    except UnicodeDecodeError:
        return "", [error("requirements.file", f"{name} is not UTF-8", "save the file as UTF-8", file=name)]
    except OSError as reason:
        message = f"{name} cannot be read: {reason.strerror}"
        return "", [error("requirements.file", message, "make the file readable", file=name)]
