"""Reads the part of a PEP 751 lock that we accept: wheels from an index, each with its SHA-256."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from images.layout import PRIVATE_NAMES
from images.target import Target
from images.toml import TomlFault, read_toml
from toolchain.core.digests import sha256_json
from toolchain.core.errors import DependencyFault

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_UPGRADE: Final = "make a new lock with `mixpeek plugin build --upgrade`"


@dataclass(frozen=True)
class LockedWheel:
    """One wheel: what it is, where it lies, what its bytes must be. ``size`` is 0 when the index does not say."""

    name: str
    version: str
    filename: str
    url: str
    sha256: str
    size: int


@dataclass(frozen=True)
class Lock:
    """Every wheel of an image, sorted by name, for one target; ``text`` is the pylock as the resolver wrote it."""

    wheels: tuple[LockedWheel, ...]
    target: Target
    text: str

    @property
    def digest(self) -> str:
        """What is installed, in 64 hexadecimal digits: the addresses do not count, the bytes do."""
        content = [[wheel.name, wheel.version, wheel.filename, wheel.sha256] for wheel in self.wheels]
        return sha256_json({"target": self.target.to_json(), "wheels": content})

    @property
    def size(self) -> int:
        """Bytes of all wheels together, as far as the index said."""
        return sum(wheel.size for wheel in self.wheels)


def parse_pylock(text: str, target: Target) -> Lock:
    """The lock in ``text``. Raises ``DependencyFault`` for anything but wheels with hashes that fit ``target``."""
    try:
        document = read_toml(text)
    except TomlFault as reason:
        raise DependencyFault(f"the lock is not valid TOML: {reason}", remedy=_UPGRADE) from None
    if str(document.get("lock-version", "")).split(".")[0] != "1":
        raise DependencyFault("the lock has a version that we do not read", remedy=_UPGRADE)
    packages = document.get("packages", [])
    if not isinstance(packages, list) or not all(isinstance(package, dict) for package in packages):
        raise DependencyFault("the lock holds no list of packages", remedy=_UPGRADE)
    wheels = [_wheel(package, target) for package in packages if _applies(package, target)]
    return Lock(tuple(sorted(wheels, key=lambda wheel: wheel.name)), target, text)


def _applies(package: dict[str, Any], target: Target) -> bool:
    marker = package.get("marker")
    if marker is None:
        return True
    from packaging.markers import Marker

    return Marker(str(marker)).evaluate(target.marker_environment)


def _wheel(package: dict[str, Any], target: Target) -> LockedWheel:
    from packaging.utils import canonicalize_name

    name = canonicalize_name(str(package.get("name", "")))
    if name in PRIVATE_NAMES:
        raise DependencyFault(
            f"a dependency asks for {name!r}, which belongs to the platform and is not installed from an index",
            remedy="find out which requirement asks for it (`uv tree`) and replace that one",
        )
    entries = [entry for entry in package.get("wheels", []) if isinstance(entry, dict)]
    best = _best([_candidate(name, package, entry) for entry in entries], target)
    if best is None:
        version = package.get("version", "")
        raise DependencyFault(
            f"{name} {version} has no wheel for Python {target.python}, {target.machine}, glibc {target.glibc}",
            remedy="choose another version that has one; nothing is built from source",
        )
    return best


def _candidate(name: str, package: dict[str, Any], entry: dict[str, Any]) -> LockedWheel:
    url = str(entry.get("url", ""))
    parts = urlsplit(url)
    sha256 = str((entry.get("hashes") or {}).get("sha256", ""))
    filename = str(entry.get("name") or unquote(parts.path.rpartition("/")[2]))
    if parts.scheme not in ("https", "http") or not _SHA256.fullmatch(sha256):
        raise DependencyFault(
            f"the lock names no address with a SHA-256 for {name}",
            remedy="build from an index that gives hashes, or make a new lock",
        )
    size = entry.get("size", 0)
    return LockedWheel(name, str(package.get("version", "")), filename, url, sha256, int(size))


def _best(candidates: Iterable[LockedWheel], target: Target) -> LockedWheel | None:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    ranked: list[tuple[int, str, LockedWheel]] = []
    for wheel in candidates:
        try:
            name, version, _, tags = parse_wheel_filename(wheel.filename)
        except (InvalidWheelFilename, InvalidVersion):
            continue
        if name != wheel.name or version != Version(wheel.version):
            continue  # a lock that calls one package by another's name is no lock of an index
        fitting = [target.ranks[tag] for tag in tags if tag in target.ranks]
        if fitting:
            ranked.append((min(fitting), wheel.filename, wheel))
    return min(ranked)[2] if ranked else None
