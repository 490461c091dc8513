"""Keeps what was found out about exact inputs, so that it is found out once.

The name of an entry is the digest of everything that the finding depends on: code, lock, image, policy, rules, and
the program that made it. A changed input gives another name; there is nothing to invalidate.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, Final

from toolchain import __version__
from toolchain.core.digests import canonical_json, sha256_json
from toolchain.core.sealed import SealedPlace

_ROOT: Final = Path(__file__).resolve().parents[2]
_PACKAGES: Final = ("engine", "images", "sandbox", "toolchain")
_DATA: Final = (".py", ".json", ".toml")  # seccomp profiles and rules decide as the programs do


class EvidenceStore:
    """Entries as sealed files; removing them costs time, not truth."""

    def __init__(self, place: SealedPlace) -> None:
        self._place = place

    def find(self, kind: str, inputs: dict[str, Any]) -> dict[str, Any] | None:
        """What was kept for these inputs; ``None`` when nothing was, or it is not ours."""
        kept = self._place.find(_name(kind, inputs))
        if kept is None:
            return None
        data: dict[str, Any] = json.loads(kept)
        return data

    def keep(self, kind: str, inputs: dict[str, Any], data: dict[str, Any]) -> None:
        """Keep ``data`` for these inputs."""
        self._place.keep(_name(kind, inputs), canonical_json(data))


def _name(kind: str, inputs: dict[str, Any]) -> str:
    return f"{kind}-{sha256_json([inputs, _program()])}"


@cache
def _program() -> str:
    """What makes the findings: the release, and its files as they lie here, so that an edited one counts."""
    files = [
        path for package in _PACKAGES for path in sorted((_ROOT / package).rglob("*")) if path.suffix in _DATA
    ]
    states = [(path, path.stat()) for path in files]
    return sha256_json(
        [__version__, [[str(path.relative_to(_ROOT)), state.st_size, state.st_mtime_ns] for path, state in states]]
    )
