"""Results by the digests of content and rules, sealed: a file that somebody else wrote gives no verdict."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from toolchain.core.sealed import SealedPlace
from toolchain.scan.model import Declared, ScanFinding

# What depends on the machine's load or memory, or on bytes that no digest binds, must be tried again.
_UNSURE = ("limit.", "archive.", "file.unreadable", "file.unjudged", "bandit.failed")


@dataclass(frozen=True)
class Verdict:
    """What is kept of a scan."""

    findings: tuple[ScanFinding, ...]
    rules_version: int
    declared: Declared


def cached(place: SealedPlace | None, key: str) -> Verdict | None:
    """What an earlier scan of the same content with the same rules found; ``None`` for a file that is not ours."""
    if place is None:
        return None
    payload = place.find(key)
    if payload is not None:
        with suppress(ValueError, TypeError, KeyError):
            return _from_json(json.loads(payload))
    return None


def remember(place: SealedPlace | None, key: str, verdict: Verdict) -> None:
    """Keep a result that would be the same again; a cache that cannot be written costs time only."""
    if place is None or any(finding.rule.startswith(_UNSURE) for finding in verdict.findings):
        return
    place.keep(key, json.dumps(_to_json(verdict)).encode())


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
