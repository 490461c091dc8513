"""Writes a new plugin from the template of its category.

Templates are valid Python under the names ``my_extractor`` and ``MyExtractor``; a description or an author stands
in them as the quoted string ``"__DESCRIPTION__"`` or ``"__AUTHOR__"`` and is replaced by a whole literal, so that
no text can break the file it lands in.
"""

from __future__ import annotations

import difflib
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from toolchain.core.errors import MixpeekError, UsageFault
from toolchain.core.process import run
from toolchain.plugin.names import validate_name

if TYPE_CHECKING:
    from importlib.abc import Traversable

CATEGORIES = ("text", "image", "video", "audio", "document", "multimodal")
DEFAULT_DESCRIPTION = "A custom Mixpeek extractor"
UNKNOWN_AUTHOR = "Unknown"

# 500 is the API's limit on a description; none is published for an author.
_LONGEST_TEXT = 500
_GIT_SECONDS = 5.0


@dataclass(frozen=True)
class ScaffoldRequest:
    """What to create: ``output/name``. An author of None means git's ``user.name``, else "Unknown"."""

    name: str
    category: str = "text"
    description: str = DEFAULT_DESCRIPTION
    author: str | None = None
    output: Path = Path()


@dataclass(frozen=True)
class ScaffoldResult:
    """What was created: the plugin's folder and its files, relative to it and sorted."""

    root: Path
    files: tuple[PurePosixPath, ...]


def create_plugin(request: ScaffoldRequest) -> ScaffoldResult:
    """Write the plugin completely or not at all.

    Raises ``UsageFault`` when the name, category or a text cannot be used, the target exists, or the output
    directory cannot be written.
    """
    target = request.output / request.name
    request = _completed(request)
    if os.path.lexists(target):
        raise _already_exists(target)
    files = dict(_rendered(request))
    try:
        with (
            _directory(request.output),
            tempfile.TemporaryDirectory(dir=request.output, prefix=".init-") as staging,
        ):
            # One level down: mkdtemp's own folder is 0700, the plugin's follows the user's umask.
            staged = Path(staging, request.name)
            _write(staged, files)
            _move(staged, target)
    except OSError as reason:
        raise UsageFault(
            f"The plugin could not be written: {reason.strerror or reason}.",
            where=str(reason.filename or target),
            remedy="choose an output directory that you can write to",
        ) from reason
    return ScaffoldResult(target, tuple(sorted(files)))


def default_author() -> str:
    """Return git's ``user.name``, or "Unknown" where git is missing, unset, or holds what cannot be written."""
    with suppress(MixpeekError):
        answer = run(["git", "config", "--get", "user.name"], timeout=_GIT_SECONDS)
        return _checked_text("author", answer.stdout.strip()) or UNKNOWN_AUTHOR
    return UNKNOWN_AUTHOR


def _completed(request: ScaffoldRequest) -> ScaffoldRequest:
    """Check the request and fill in what was left open."""
    for problem in validate_name(request.name):
        raise UsageFault(problem.message, where="name", remedy=problem.remedy)
    if request.category not in CATEGORIES:
        nearest = difflib.get_close_matches(request.category.lower(), CATEGORIES, n=1, cutoff=0.5)
        hint = f"did you mean {nearest[0]!r}? " if nearest else ""
        raise UsageFault(
            f"There is no category {request.category!r}.",
            where="category",
            remedy=f"{hint}choose one of {', '.join(CATEGORIES)}",
        )
    description = _checked_text("description", request.description.strip())
    author = default_author() if request.author is None else _checked_text("author", request.author.strip())
    return replace(request, description=description or DEFAULT_DESCRIPTION, author=author or UNKNOWN_AUTHOR)


def _checked_text(field: str, text: str) -> str:
    if len(text) > _LONGEST_TEXT:
        raise UsageFault(
            f"The {field} is {len(text)} characters long; at most {_LONGEST_TEXT} are taken.",
            where=field,
            remedy="shorten it",
        )
    for character in text:
        # Cc: control characters, Cs: halves of a surrogate pair, which UTF-8 cannot hold.
        if unicodedata.category(character) in {"Cc", "Cs"} and character not in "\t\n\r":
            raise UsageFault(
                f"The {field} holds the character {character!r}, which no file of the plugin can show.",
                where=field,
                remedy="remove it",
            )
    return text


def _rendered(request: ScaffoldRequest) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield each file of the plugin as its relative path and its bytes."""
    template = resources.files("toolchain.plugin") / "templates" / request.category
    for path, content in _files_below(template, PurePosixPath()):
        if path.suffix in {".py", ".toml"}:
            yield path, _substituted(content, _source_values(request))
        elif path.suffix == ".md":
            yield path, _substituted(content, _markdown_values(request))
        else:
            yield path, content


def _files_below(folder: Traversable, prefix: PurePosixPath) -> Iterator[tuple[PurePosixPath, bytes]]:
    for entry in folder.iterdir():
        # Installers compile every .py they install, templates too.
        if entry.name == "__pycache__":
            continue
        if entry.is_dir():
            yield from _files_below(entry, prefix / entry.name)
        else:
            yield prefix / entry.name, entry.read_bytes()


def _names(name: str) -> dict[str, str]:
    words = name.split("_")
    return {
        "my_extractor": name,
        # A project's name ends in a letter or digit (PEP 508), a plugin's may end in an underscore.
        "my-extractor": name.replace("_", "-").rstrip("-"),
        "MyExtractor": "".join(word[:1].upper() + word[1:] for word in words),
    }


def _source_values(request: ScaffoldRequest) -> dict[str, str]:
    assert request.author is not None
    return {
        **_names(request.name),
        '"__DESCRIPTION__"': _literal(request.description),
        '"__AUTHOR__"': _literal(request.author),
    }


def _markdown_values(request: ScaffoldRequest) -> dict[str, str]:
    assert request.author is not None
    return {
        **_names(request.name),
        "__DESCRIPTION__": _markdown(request.description),
        "__AUTHOR__": _markdown(request.author),
    }


def _substituted(content: bytes, values: Mapping[str, str]) -> bytes:
    """Replace every placeholder in one pass, so that a value which holds a placeholder stays as it is."""
    placeholders = re.compile("|".join(re.escape(key) for key in sorted(values, key=len, reverse=True)))
    return placeholders.sub(lambda match: values[match[0]], content.decode()).encode()


def _literal(text: str) -> str:
    """Return ``text`` as a string literal that is valid in Python and in TOML and means the same in both."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    short = {"\\": r"\\", '"': r"\"", "\n": r"\n", "\r": r"\r", "\t": r"\t"}
    if character in short or character.isprintable():
        return short.get(character, character)
    # Direction marks and odd spaces are kept, but where the reader of the source can see them.
    return f"\\u{ord(character):04x}" if ord(character) <= 0xFFFF else f"\\U{ord(character):08x}"


def _markdown(text: str) -> str:
    """Return ``text`` as one line of Markdown that shows it literally."""
    line = re.sub(r"([\\`*_\[\]<>&|])", r"\\\1", " ".join(text.split()))
    # At the start of a line these make a heading, a list, a quotation or a rule.
    return re.sub(r"^([#+=~-]|\d+(?=[.)]))", lambda m: m[1] + "\\" if m[1].isdigit() else "\\" + m[1], line)


def _write(root: Path, files: Mapping[PurePosixPath, bytes]) -> None:
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)


def _move(staged: Path, target: Path) -> None:
    try:
        staged.rename(target)
    except OSError:
        # Someone else was faster since we looked.
        if os.path.lexists(target):
            raise _already_exists(target) from None
        raise


@contextmanager
def _directory(path: Path) -> Iterator[None]:
    """Have ``path`` exist; on failure remove what had to be created for it."""
    created = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for folder in created:
            with suppress(OSError):
                folder.rmdir()
        raise


def _already_exists(target: Path) -> UsageFault:
    kind = "Directory" if target.is_dir() else "File"
    return UsageFault(
        f"{kind} already exists: {target}",
        remedy="choose another name or output directory, or remove it first",
    )
