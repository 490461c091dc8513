"""Turns the resolver's refusal into the user's own requirement and the way out."""

from __future__ import annotations

import re
from typing import Final

from images.layout import PLATFORM_REQUIREMENTS
from images.requirement_sources import redact
from images.requirements import Requirement, RequirementSet
from toolchain.core.errors import DependencyFault, MixpeekError, NetworkUnavailable

_NETWORK: Final = re.compile(
    r"Failed to fetch|error sending request|dns error|tcp connect error|operation timed out|Request failed after"
    r"|HTTP status (client|server) error",
    re.IGNORECASE,
)
# uv takes a refused login for a package that is not there, and tells the reason in a hint.
_LOGIN: Final = re.compile(r"could not be queried due to a lack of valid authentication credentials \(([^)]*)\)")
_MISSING: Final = re.compile(r"([\w.-]+) was not found in the package registry")
_SOURCE_ONLY: Final = re.compile(
    r"Wheels are required for `([\w.-]+)`|([\w.-]+?)(?:==[\w.]+)? ha(?:s|ve) no (?:usable )?wheels"
)
_NO_VERSION: Final = re.compile(r"there is no version of ([\w.-]+)|only ([\w.-]+)[<>=!~\s][^ ]* is available")
_PYTHON: Final = re.compile(r"the requested Python version .*? does not satisfy Python([^ ,]+)")


def explain(stderr: str, requirements: RequirementSet) -> MixpeekError:
    """The error for what uv printed: a conflict, a missing or source-only package, or a registry out of reach."""
    text = redact(" ".join(line.strip() for line in stderr.splitlines() if line.strip()))
    if "No solution found" not in text and _NETWORK.search(text):
        address = re.search(r"https?://[^\s)`]+", text)
        return NetworkUnavailable(
            f"the package index could not be reached: {_last_cause(stderr)}",
            where=address.group(0) if address else None,
            remedy="check the network and HTTPS_PROXY, or set MIXPEEK_INDEX_URL to an index that answers",
        )
    if refused := _LOGIN.search(text):
        return NetworkUnavailable(
            f"the package index refuses to answer us ({refused.group(1)})",
            remedy="put user and password into MIXPEEK_INDEX_URL (https://user:password@host/simple)",
        )
    guilty = _guilty(text, requirements)
    where = ", ".join(requirement.place for requirement in guilty) or None
    shown = ", ".join(f"`{requirement.text}`" for requirement in guilty)
    reason = _reason(text)
    head = f"{shown} cannot be installed" if shown else "the requirements cannot be installed together"
    return DependencyFault(f"{head}: {reason}", where=where, remedy=_remedy(text, bool(guilty)))


def _guilty(text: str, requirements: RequirementSet) -> list[Requirement]:
    """The user's lines that the refusal mentions, those it quotes in full first."""
    mentioned = [entry for entry in requirements.requirements if _mentions(text, entry.name)]
    quoted = [entry for entry in mentioned if re.search(rf"you require {re.escape(entry.name)}\b", text)]
    return quoted or mentioned


def _mentions(text: str, name: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE) is not None


def _reason(text: str) -> str:
    because = text.find("Because ")
    reason = text[because:] if because >= 0 else text
    reason = re.split(r"\s+hint:", reason)[0]
    reason = reason.replace(", we can conclude that your requirements are unsatisfiable", "")
    return reason if len(reason) <= 1200 else reason[:1197] + "..."


def _remedy(text: str, ours: bool) -> str:
    if found := _MISSING.search(text):
        return f"check the spelling of {found.group(1)!r}: the index has no such package"
    if found := _SOURCE_ONLY.search(text):
        name = found.group(1) or found.group(2)
        return f"choose a version of {name!r} that has a wheel for this platform; nothing is built from source"
    if found := _PYTHON.search(text):
        return f"choose a version that supports the image's Python (it asks for {found.group(1)})"
    if _NO_VERSION.search(text):
        return "ask for a version that the index has, or widen the range"
    if ours:
        return f"widen the versions you ask for; the platform itself needs {', '.join(PLATFORM_REQUIREMENTS)}"
    return "remove requirements one by one until it resolves, then widen that one"


def _last_cause(stderr: str) -> str:
    causes = [line.partition("cause:")[2].strip() for line in stderr.splitlines() if "cause:" in line]
    return redact(causes[-1] if causes else stderr.strip()[:200])
