"""The reviewer's baseline: accepted findings, kept outside of the plugin.

A TOML file of ``[[accepted]]`` tables: ``rule``, ``name``, ``file`` and ``line`` of the finding, ``code`` (the
digest of everything in the plugin that can carry code), ``reason``, ``author``, and the dates ``accepted`` and
``expires``. An entry stops counting when any code of the plugin changes or its last day has passed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from toolchain.core.errors import UsageFault
from toolchain.core.files import write_whole
from toolchain.core.toml import parse_toml
from toolchain.scan.model import ScanFinding, ScanResult

_TEXTS = ("rule", "name", "file", "code", "reason", "author")
_DATES = ("accepted", "expires")
_FIELDS = frozenset((*_TEXTS, "line", *_DATES))
# What was not read is bound by no digest: nobody can have looked at it.
_NOT_ACCEPTABLE = ("limit.", "archive.", "file.link", "file.special", "file.unreadable")
_LONGEST_DAYS = 366


@dataclass(frozen=True)
class SignOff:
    """Who accepts, why, and until when."""

    reason: str
    author: str
    expires: date


def apply_baseline(findings: Sequence[ScanFinding], code: str, path: Path, target: Path) -> list[ScanFinding]:
    """The findings, those marked as suppressed that an entry in force covers.

    ``code`` is the plugin's code digest. Raises ``UsageFault`` for a file that is incomplete or lies in the
    plugin.
    """
    _require_outside(path, target)
    entries = [entry for entry in _entries(path) if entry["code"] == code and _in_force(entry)]
    covered = {
        _key(entry): f"{entry['reason']} ({entry['author']}, until {entry['expires']})" for entry in entries
    }
    return [
        finding
        if finding.rule.startswith(_NOT_ACCEPTABLE)
        else replace(finding, suppressed=covered.get(_place(finding)))
        for finding in findings
    ]


def write_baseline(result: ScanResult, path: Path, target: Path, sign_off: SignOff) -> int:
    """Accept every active finding that may be accepted, beside the entries that the file has; how many were added.

    Entries of this plugin's code that are written anew replace their earlier form. Raises ``UsageFault``.
    """
    _require_outside(path, target)
    today = datetime.now(timezone.utc).date()
    if not sign_off.reason.strip() or not sign_off.author.strip():
        raise UsageFault("an acceptance needs a reason and an author", remedy="give --reason and --author")
    if not 0 <= (sign_off.expires - today).days <= _LONGEST_DAYS:
        raise UsageFault(
            f"{sign_off.expires} is not within the next {_LONGEST_DAYS} days",
            where="--expires",
            remedy="accept for a shorter time, and look again when it has passed",
        )
    added = [
        _entry(finding, result.code_digest, sign_off, today)
        for finding in result.active
        if not finding.rule.startswith(_NOT_ACCEPTABLE)
    ]
    ours = {(_key(entry), entry["code"]) for entry in added}
    kept = [
        entry for entry in (_entries(path) if path.exists() else []) if (_key(entry), entry["code"]) not in ours
    ]
    write_whole(path, "\n".join(map(_toml, [*kept, *added])).encode())
    return len(added)


def _require_outside(path: Path, target: Path) -> None:
    """A plugin must not sign off on itself, by a link either."""
    place, root = path.resolve(), target.resolve()
    if place == root or (root.is_dir() and place.is_relative_to(root)):
        raise UsageFault(
            "the baseline lies inside of what it judges",
            where=str(path),
            remedy="keep it outside of the plugin, in a place of the reviewer's",
        )


def _entries(path: Path) -> list[dict[str, Any]]:
    remedy = f"each [[accepted]] needs {', '.join(sorted(_FIELDS))}; dates stand without quotes"
    try:
        entries = parse_toml(path.read_bytes()).get("accepted", [])
    except FileNotFoundError:
        raise UsageFault(
            "there is no such baseline",
            where=str(path),
            remedy="correct the path, or make one with --write-baseline FILE --reason TEXT",
        ) from None
    except OSError as reason:
        raise UsageFault(
            f"the baseline cannot be read: {reason.strerror}", where=str(path), remedy="check its permissions"
        ) from None
    except ValueError as reason:
        raise UsageFault(f"the baseline cannot be read: {reason}", where=str(path), remedy=remedy) from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise UsageFault("'accepted' is no list of tables", where=str(path), remedy=remedy)
    for number, entry in enumerate(entries, 1):
        if wrong := _wrong_field(entry):
            message = f"entry {number} of the baseline: {wrong} is missing, unknown, empty or of the wrong kind"
            raise UsageFault(message, where=str(path), remedy=remedy)
    return list(entries)


def _wrong_field(entry: dict[str, Any]) -> str | None:
    for name in sorted(_FIELDS ^ entry.keys()):
        return name
    wrong = [name for name in _TEXTS if not (isinstance(entry[name], str) and entry[name].strip())]
    # A datetime is a date to isinstance, and cannot be compared with one.
    wrong += [name for name in _DATES if type(entry[name]) is not date]
    wrong += [] if type(entry["line"]) is int else ["line"]
    return wrong[0] if wrong else None


def _in_force(entry: dict[str, Any]) -> bool:
    today = datetime.now(timezone.utc).date()
    expires: date = entry["expires"]
    return expires >= today


def _key(entry: dict[str, Any]) -> tuple[str, str, str, int]:
    return (entry["rule"], entry["name"], entry["file"], entry["line"])


def _place(finding: ScanFinding) -> tuple[str, str, str, int]:
    return (finding.rule, finding.name, finding.file, finding.line)


def _entry(finding: ScanFinding, code: str, sign_off: SignOff, today: date) -> dict[str, Any]:
    rule, name, file, line = _place(finding)
    place = {"rule": rule, "name": name, "file": file, "line": line, "code": code}
    why = {"reason": sign_off.reason, "author": sign_off.author}
    return {**place, **why, "accepted": today, "expires": sign_off.expires}


def _toml(entry: dict[str, Any]) -> str:
    # TOML's basic strings take JSON's escapes; a date stands as it is.
    lines = [
        f"{name} = {json.dumps(value) if isinstance(value, (str, int)) else value.isoformat()}"
        for name, value in entry.items()
    ]
    return "\n".join(["[[accepted]]", *lines, ""])
