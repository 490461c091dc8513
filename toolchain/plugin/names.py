"""What a plugin may be called and how its version is written.

Source: the platform's API takes a letter followed by letters, digits and underscores, 3 to 64 characters in
total, and versions as X.Y.Z. The name is also a Python package, so it must not hide one that plugins import.
"""

from __future__ import annotations

import keyword
import re
import sys
from dataclasses import dataclass

NAME_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_]{2,63}")
VERSION_PATTERN = re.compile(r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})")

_LOOSE_VERSION = re.compile(r"[vV]?([0-9]{1,9})(?:\.([0-9]{1,9}))?(?:\.([0-9]{1,9}))?")


def _names_in(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What sys.stdlib_module_names leaves out: `test`, and the modules of other Pythons, from 3.10 on, than this one.
_STANDARD_LIBRARY_ELSEWHERE = _names_in(
    "aifc annotationlib asynchat asyncore audioop cgi cgitb chunk compression crypt distutils imghdr imp lib2to3 "
    "mailcap msilib nis nntplib ossaudiodev pipes smtpd sndhdr spwd sunau telnetlib test tomllib uu xdrlib"
)
_STANDARD_LIBRARY = _STANDARD_LIBRARY_ELSEWHERE | {module.lower() for module in sys.stdlib_module_names}
_PLATFORM_MODULES = _names_in(
    "engine images manifest mixpeek pipeline processors ray realtime registry sandbox shared tests toolchain"
)
_LIBRARIES_OF_PLUGINS = _names_in(
    "aiohttp av click cv2 docker httpx imageio librosa numpy onnxruntime packaging pandas pil pip polars pyarrow "
    "pydantic pypdfium2 pytest requests safetensors scipy sentence_transformers setuptools sklearn soundfile "
    "tokenizers torch transformers uv wheel wordllama"
)


@dataclass(frozen=True)
class NameProblem:
    """Why a name cannot be used, as one sentence, and what to do instead."""

    message: str
    remedy: str


def validate_name(name: str) -> list[NameProblem]:
    """Return what stands against ``name``; an empty list when it can be used."""
    if not NAME_PATTERN.fullmatch(name):
        return [_pattern_problem(name)]
    taken = _taken_by(name)
    if taken is None:
        return []
    suggestion = suggest_name(name)
    remedy = f"use another name, for example {suggestion!r}" if suggestion else "use another name"
    return [NameProblem(f"{name!r} is {taken}.", remedy)]


def suggest_name(name: str) -> str | None:
    """Return a name near ``name`` that can be used, or None when there is none."""
    nearest = re.sub(r"[^A-Za-z0-9]+", "_", name).strip("_").lower()
    for candidate in (nearest, f"{nearest}_extractor", f"extractor_{nearest}"):
        if nearest and NAME_PATTERN.fullmatch(candidate) and not _taken_by(candidate):
            return candidate
    return None


def normalize_version(version: str) -> str | None:
    """Return ``version`` as X.Y.Z, or None when it is no version.

    A leading ``v`` is dropped and missing parts are 0: ``v1`` and ``1.0`` become ``1.0.0``, ``v2.1`` ``2.1.0``.
    """
    match = _LOOSE_VERSION.fullmatch(version)
    return ".".join(str(int(part or 0)) for part in match.groups()) if match else None


def _pattern_problem(name: str) -> NameProblem:
    suggestion = suggest_name(name)
    remedy = f"use {suggestion!r}" if suggestion else "take a letter, then letters, digits and underscores"
    shown = repr(name if len(name) <= 80 else name[:77] + "...")
    strange = re.search(r"[^A-Za-z0-9_]", name)
    if not name:
        return NameProblem("The name is empty.", remedy)
    if strange and strange[0] == "-":
        return NameProblem(f"{shown} holds a hyphen: the platform refuses it, Python cannot import it.", remedy)
    if strange:
        return NameProblem(
            f"{shown} holds {strange[0]!r}; allowed are the letters a to z and A to Z, digits and underscores.",
            remedy,
        )
    if not name[0].isalpha():
        return NameProblem(f"{shown} does not start with a letter.", remedy)
    length = f"{len(name)} character{'' if len(name) == 1 else 's'}"
    return NameProblem(f"{shown} is {length} long; the platform takes 3 to 64.", remedy)


def _taken_by(name: str) -> str | None:
    """Return what already goes by this name, or None."""
    if keyword.iskeyword(name):
        return "a Python keyword and cannot be imported"
    # Compared without case: on macOS and Windows the folders `JSON` and `json` are one.
    folded = name.lower()
    if folded in _STANDARD_LIBRARY:
        return "a module of Python's standard library, which the plugin would hide"
    if folded in _PLATFORM_MODULES:
        return "a module of the platform or of every plugin, which the plugin would hide"
    if folded in _LIBRARIES_OF_PLUGINS:
        return "a library that plugins import, which the plugin would hide"
    return None
