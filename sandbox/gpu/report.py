"""What the program in the container printed, checked: the image's libraries ran beside it and may have lied."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_LIMIT: Final = 64 << 10
_TEXT_LIMIT: Final = 300


class NotAReport(ValueError):
    """The output holds no report of the expected form; the message says what is wrong."""


@dataclass(frozen=True)
class Refusal:
    """A call that failed: its name, its number in that interface, and the interface's word for it."""

    call: str
    code: int
    word: str

    def __str__(self) -> str:
        return f"{self.call}: {self.word or self.code}"


@dataclass(frozen=True)
class KernelRun:
    """A kernel that was started: whether its results were right, else what refused it."""

    right: bool
    error: Refusal | None


@dataclass(frozen=True)
class DriverReport:
    """The machine's half. ``version`` is CUDA's ((12, 4)), ``kernel`` is absent where no device was."""

    loaded: bool
    error: Refusal | None
    version: tuple[int, int] | None
    devices: int | None
    capability: tuple[int, int] | None
    kernel: KernelRun | None


@dataclass(frozen=True)
class Library:
    """One of the image's CUDA libraries: the loader's ``error``, and in ``devices`` the runtime's cudaError_t."""

    name: str
    file: str
    error: str | None
    version: tuple[int, int] | None
    devices: int | None


@dataclass(frozen=True)
class CompilerReport:
    """The image's NVRTC: its version, whether it compiled, and whether the driver took what it made."""

    version: tuple[int, int]
    error: Refusal | None
    kernel: KernelRun | None


@dataclass(frozen=True)
class GpuReport:
    """Both halves. ``compiler`` is absent where the image has none or it did not load."""

    driver: DriverReport
    libraries: tuple[Library, ...]
    compiler: CompilerReport | None


def read_report(output: str) -> GpuReport:
    """The report in the last line of ``output`` that is one. Raises ``NotAReport``."""
    if len(output) > _LIMIT:
        raise NotAReport(f"it printed {len(output)} characters, more than {_LIMIT}")
    for line in reversed(output.splitlines()):
        if line.startswith("{"):
            return _parse(line)
    raise NotAReport(f"it printed {output.strip()[-_TEXT_LIMIT:] or 'nothing'!r}")


def _parse(line: str) -> GpuReport:
    try:
        document = _object(json.loads(line))
        libraries = _object(document["libraries"])
        compiler = document.get("compiler")
        return GpuReport(
            driver=_driver(_object(document["driver"])),
            libraries=tuple(_library(name, _object(facts)) for name, facts in sorted(libraries.items())),
            compiler=None if compiler is None else _compiler(_object(compiler)),
        )
    except (KeyError, TypeError, ValueError, RecursionError) as reason:
        raise NotAReport(f"its report is malformed: {type(reason).__name__} {reason}") from None


def _driver(facts: Mapping[str, Any]) -> DriverReport:
    version = _optional(facts["version"], int)
    return DriverReport(
        loaded=_checked(facts["loaded"], bool),
        error=_refusal(facts["error"]),
        version=None if version is None else _split(version),
        devices=_optional(facts["devices"], int),
        capability=_pair(facts.get("capability")),
        kernel=_kernel(facts["kernel"]),
    )


def _library(name: str, facts: Mapping[str, Any]) -> Library:
    version = _optional(facts["version"], int)
    return Library(
        name=_text(name),
        file=_text(facts["file"]),
        error=None if facts["error"] is None else _text(facts["error"]),
        version=None if version is None else _split(version),
        devices=_optional(facts["devices"], int),
    )


def _compiler(facts: Mapping[str, Any]) -> CompilerReport:
    version = _pair(facts["version"])
    if version is None:
        raise TypeError("a compiler without a version")
    return CompilerReport(version, _refusal(facts["error"]), _kernel(facts["kernel"]))


def _kernel(facts: Any) -> KernelRun | None:
    if facts is None:
        return None
    found = _object(facts)
    return KernelRun(_checked(found["right"], bool), _refusal(found["error"]))


def _refusal(facts: Any) -> Refusal | None:
    if facts is None:
        return None
    found = _object(facts)
    return Refusal(_text(found["call"]), _checked(found["code"], int), _text(found["word"]))


def _split(version: int) -> tuple[int, int]:
    """12040 is 12.4."""
    return version // 1000, version % 1000 // 10


def _pair(value: Any) -> tuple[int, int] | None:
    if value is None:
        return None
    major, minor = value
    return _checked(major, int), _checked(minor, int)


def _object(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{type(value).__name__} for an object")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} for text")
    return "".join(char if char.isprintable() else "?" for char in value[:_TEXT_LIMIT])


def _optional(value: Any, kind: type) -> Any:
    return None if value is None else _checked(value, kind)


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{type(value).__name__} for {kind.__name__}")
    return value
