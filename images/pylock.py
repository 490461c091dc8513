"""Reads the part of a PEP 751 lock that we accept: wheels from an index, each with its SHA-256."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from images.layout import PRIVATE_NAMES
from images.target import Target
from toolchain.core.digests import sha256_json
from toolchain.core.errors import DependencyFault
from toolchain.core.toml import parse_toml

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
# The longest name that a file system takes; a name lists its tags, which multiply.
_FILENAME_LIMIT: Final = 255
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
        document = parse_toml(text.encode())
    except ValueError as reason:
        raise DependencyFault(f"the lock is not valid TOML: {reason}", remedy=_UPGRADE) from None
    if str(document.get("lock-version", "")).split(".")[0] != "1":
        raise DependencyFault("the lock has a version that we do not read", remedy=_UPGRADE)
    packages = document.get("packages", [])
    if not isinstance(packages, list) or not all(isinstance(package, dict) for package in packages):
        raise DependencyFault("the lock holds no list of packages", remedy=_UPGRADE)
    wheels = [_wheel(package, target) for package in packages if _applies(package, target)]
    if len({wheel.name for wheel in wheels}) < len(wheels):
        raise DependencyFault("the lock names a package twice", remedy=_UPGRADE)
    if len({wheel.sha256 for wheel in wheels}) < len(wheels):
        # Whoever has the bytes of one would pass for the other.
        raise DependencyFault("the lock gives two packages the same bytes", remedy=_UPGRADE)
    return Lock(tuple(sorted(wheels, key=lambda wheel: wheel.name)), target, text)


def _applies(package: dict[str, Any], target: Target) -> bool:
    marker = package.get("marker")
    if marker is None:
        return True
    from packaging.markers import Marker

    try:
        return Marker(str(marker)).evaluate(target.marker_environment)
    except (ValueError, RecursionError, KeyError) as reason:
        raise DependencyFault(f"the lock has a marker that cannot be read: {reason}", remedy=_UPGRADE) from None


def _wheel(package: dict[str, Any], target: Target) -> LockedWheel:
    from packaging.utils import canonicalize_name

    name = canonicalize_name(str(package.get("name", "")))
    if name in PRIVATE_NAMES:
        raise DependencyFault(
            f"a dependency asks for {name!r}, which belongs to the platform and is not installed from an index",
            remedy="find out which requirement asks for it (`uv tree`) and replace that one",
        )
    wheels = package.get("wheels", [])
    entries = [entry for entry in wheels if isinstance(entry, dict)] if isinstance(wheels, list) else []
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
    hashes = entry.get("hashes")
    sha256 = str(hashes.get("sha256", "")) if isinstance(hashes, dict) else ""
    filename = str(entry.get("name") or url_filename(url))
    if not url.startswith(("https://", "http://")) or not _SHA256.fullmatch(sha256):
        raise DependencyFault(
            f"the lock names no address with a SHA-256 for {name}",
            remedy="build from an index that gives hashes, or make a new lock",
        )
    size = entry.get("size", 0)
    if type(size) is not int or size < 0:
        raise DependencyFault(f"the lock's size of {filename} is no number of bytes", remedy=_UPGRADE)
    return LockedWheel(name, str(package.get("version", "")), filename, url, sha256, size)


def url_filename(url: str) -> str:
    """The last part of the path of ``url``, unquoted; empty for what is no address."""
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return ""


def _best(candidates: Iterable[LockedWheel], target: Target) -> LockedWheel | None:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename
    from packaging.version import InvalidVersion, Version

    ranked: list[tuple[int, str, LockedWheel]] = []
    for wheel in candidates:
        if len(wheel.filename) > _FILENAME_LIMIT:
            continue
        try:
            name, version, _, tags = parse_wheel_filename(wheel.filename)
            fits = name == wheel.name and version == Version(wheel.version)
        except (InvalidWheelFilename, InvalidVersion):
            continue
        if not fits:
            continue  # a lock that calls one package by another's name is no lock of an index
        fitting = [target.ranks[tag] for tag in tags if tag in target.ranks]
        if fitting:
            ranked.append((min(fitting), wheel.filename, wheel))
    return min(ranked)[2] if ranked else None
