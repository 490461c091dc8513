"""Results by the digests of content and rules, sealed: a file that somebody else wrote gives no verdict.

The seal is an HMAC under a key that lies outside of the cache, so that a cache that was restored from elsewhere,
or that others may write, cannot turn a finding into a pass. Whoever can read this user's files can read the key:
see the security model.
"""

from __future__ import annotations

import hmac
import json
import os
import secrets
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolchain.scan.model import CachePlace, Declared, ScanFinding

_KEY_BYTES = 32
# What depends on the machine's load or memory, or on bytes that no digest binds, must be tried again.
_UNSURE = ("limit.", "archive.", "file.unreadable", "file.unjudged", "bandit.failed")


@dataclass(frozen=True)
class Verdict:
    """What is kept of a scan."""

    findings: tuple[ScanFinding, ...]
    rules_version: int
    declared: Declared


def cached(place: CachePlace | None, key: str) -> Verdict | None:
    """What an earlier scan of the same content with the same rules found; ``None`` for a file that is not ours."""
    if place is None:
        return None
    with suppress(OSError, ValueError, TypeError, KeyError):
        seal, _, payload = (place.folder / f"{key}.json").read_bytes().partition(b"\n")
        if hmac.compare_digest(seal, _seal(place.key, key, payload)):
            return _from_json(json.loads(payload))
    return None


def remember(place: CachePlace | None, key: str, verdict: Verdict) -> None:
    """Keep a result that would be the same again; a cache that cannot be written costs time only."""
    if place is None or any(finding.rule.startswith(_UNSURE) for finding in verdict.findings):
        return
    with suppress(OSError):
        place.folder.mkdir(parents=True, exist_ok=True)
        _make_key(place.key)
        payload = json.dumps(_to_json(verdict)).encode()
        temporary = place.folder / f".{key}.{secrets.token_hex(4)}"
        temporary.write_bytes(_seal(place.key, key, payload) + b"\n" + payload)
        temporary.replace(place.folder / f"{key}.json")


def _seal(key_file: Path, key: str, payload: bytes) -> bytes:
    """The payload bound to its place. Raises ``OSError`` for a key that others may have written or read."""
    handle = os.open(key_file, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(handle, "rb") as stream:
        status = os.fstat(handle)
        secret = stream.read(_KEY_BYTES + 1)
    ours = status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    if not ours or len(secret) != _KEY_BYTES:
        raise PermissionError("the key of the cache is not this user's alone")
    return hmac.digest(secret, f"{key}\n".encode() + payload, "sha256").hex().encode()


def _make_key(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(_KEY_BYTES))


def _to_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "findings": [vars(finding) for finding in verdict.findings],
        "rules_version": verdict.rules_version,
        "declared": verdict.declared.to_json(),
    }


def _from_json(value: dict[str, Any]) -> Verdict:
    findings = tuple(ScanFinding(**_frozen(item)) for item in value["findings"])
    return Verdict(findings, value["rules_version"], Declared(**_frozen(value["declared"])))


def _frozen(item: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(part) if isinstance(part, list) else part for name, part in item.items()}
