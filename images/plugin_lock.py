"""The lock that a plugin carries: ``pylock.cpu.toml``, ``pylock.cuda.toml`` and their like beside its code.

It is the resolver's PEP 751 file with a table of ours that says which requirements it answers, so that a lock
whose question has changed is noticed without a network. It comes with the plugin, from a stranger: its digests
bind us to bytes, but its addresses must lead to the index that this machine builds from and nowhere else.
"""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from images.base.catalogue import CATALOGUE, Accelerator
from images.environment import index_url
from images.layout import PLATFORM_REQUIREMENTS
from images.pylock import Lock, parse_pylock, url_filename
from images.requirements import RequirementSet
from images.target import MACHINES, Target
from toolchain.core.digests import sha256_json
from toolchain.core.errors import PluginFault
from toolchain.core.toml import parse_toml

# PEP 751 names locks ``pylock.NAME.toml``. The platform runs on amd64, so its locks have the short names.
_USUAL_ARCHITECTURE: Final = "amd64"
_Place = tuple[str, str | None, int | None]
_PORTS: Final = {"http": 80, "https": 443}
_PUBLIC_FILES: Final[frozenset[_Place]] = frozenset({("https", "files.pythonhosted.org", 443)})
_TABLE: Final = re.compile(r"\n*\[tool\.mixpeek\]\n(?:[^\[\n][^\n]*\n)*")


def filename(accelerator: Accelerator, architecture: str) -> str:
    """The lock's name in the plugin: ``pylock.cpu.toml``, or ``pylock.cuda-arm64.toml``."""
    suffix = "" if architecture == _USUAL_ARCHITECTURE else f"-{architecture}"
    return f"pylock.{accelerator}{suffix}.toml"


FILENAMES: Final = frozenset(filename(kind, machine) for kind in CATALOGUE for machine in MACHINES)


class LockStale(PluginFault):
    """The plugin's lock is missing or answers other requirements than the plugin has now."""

    id = "lock-stale"


def render(lock: Lock, requirements: RequirementSet) -> str:
    """The text to write into the plugin; the same lock and requirements give the same text."""
    table = {"requirements": _question(requirements), **_platform(lock.target)}
    lines = [f'{key} = "{value}"\n' for key, value in table.items()]
    return _TABLE.sub("\n", lock.text).rstrip("\n") + "\n\n[tool.mixpeek]\n" + "".join(lines)


def read(text: str | None, requirements: RequirementSet, target: Target, file: str) -> Lock:
    """The lock in ``text``, for ``target``.

    Raises ``LockStale`` when there is none or it answers another question, ``DependencyFault`` when it holds what
    we do not install. Nothing is resolved.
    """
    if text is None:
        raise _stale("there is no lock", file)
    try:
        table: Any = parse_toml(text.encode()).get("tool", {}).get("mixpeek", {})
    except (ValueError, AttributeError):
        raise _stale("the lock is not valid TOML", file) from None
    if not isinstance(table, dict) or table.get("requirements") != _question(requirements):
        raise _stale("the requirements have changed since the lock was made", file)
    expected = _platform(target)
    if changed := [key for key, value in expected.items() if table.get(key) != value]:
        raise _stale(f"the lock is for another {' and '.join(changed)}", file)
    lock = parse_pylock(text, target)
    if other := _unanswered(requirements, lock, target):
        raise _stale(f"the lock has no version that {other!r} allows", file)
    places = _index_places()
    if strangers := [wheel.name for wheel in lock.wheels if _place(wheel.url) not in places]:
        raise _stale(f"the lock takes {', '.join(strangers[:3])} from outside the package index", file)
    if renamed := [wheel.filename for wheel in lock.wheels if url_filename(wheel.url) != wheel.filename]:
        raise _stale(f"the lock takes {renamed[0]} from the address of another file", file)
    return lock


def _unanswered(requirements: RequirementSet, lock: Lock, target: Target) -> str | None:
    """The first requirement that the lock does not meet: that it names the question is its author's word."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    versions = {wheel.name: wheel.version for wheel in lock.wheels}
    for line in (*requirements.lines, *PLATFORM_REQUIREMENTS):
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate(target.marker_environment):
            continue
        version = versions.get(canonicalize_name(wanted.name))
        if version is None or not wanted.specifier.contains(version, prereleases=True):
            return line
    return None


def _place(url: str) -> _Place:
    try:
        parts = urlsplit(url)
        return parts.scheme, parts.hostname, parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return "", None, None


def _index_places() -> frozenset[_Place]:
    """Scheme, host and port of the index's files: the public one has a host of its own for them.

    Plain HTTP is no place unless the user's own index is reached by it.
    """
    index = index_url()
    if not index:
        return _PUBLIC_FILES
    place = _place(index)
    # Another port of the index's machine is another service, and perhaps another person's.
    return frozenset({place, ("https", place[1], _PORTS["https"] if place[0] == "http" else place[2])})


def _question(requirements: RequirementSet) -> str:
    return sha256_json(sorted({*requirements.lines, *PLATFORM_REQUIREMENTS}))


def _platform(target: Target) -> dict[str, str]:
    # The minor version alone: a patch release of the base's Python takes the same wheels.
    return {"python": ".".join(map(str, target.minor)), "architecture": target.architecture}


def _stale(what: str, file: str) -> LockStale:
    return LockStale(what, where=file, remedy="run `mixpeek plugin build` without --locked to make a new lock")
