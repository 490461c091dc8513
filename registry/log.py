"""The append-only log: every entry's digest covers the one before it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.database.models import LogEntry, LogHead, now
from toolchain.core.digests import sha256_json

GENESIS = "0" * 64


@dataclass(frozen=True)
class Event:
    """Something that happened: ``kind`` is dotted, ``subject`` an id, ``body`` plain data."""

    kind: str
    namespace_id: str
    subject: str
    body: dict[str, Any]


def append(session: Session, event: Event) -> None:
    """Add an event within the transaction that makes it true: neither is ever kept without the other."""
    head = session.get(LogHead, 1, with_for_update=True, populate_existing=True)
    assert head is not None, "the database was not migrated"
    entry = LogEntry(
        number=head.number + 1,
        at=now(),
        kind=event.kind,
        namespace_id=event.namespace_id,
        subject=event.subject,
        body=event.body,
        previous=head.digest,
        digest="",
    )
    entry.digest = digest_of(entry)
    session.add(entry)
    head.number, head.digest = entry.number, entry.digest


def digest_of(entry: LogEntry) -> str:
    """SHA-256 of an entry and, through ``previous``, of all before it."""
    fields = ("number", "kind", "namespace_id", "subject", "body", "previous")
    return sha256_json({name: getattr(entry, name) for name in fields} | {"at": entry.at.isoformat()})


def broken_link(entries: Iterable[LogEntry]) -> int | None:
    """The number of the first entry of a whole log that does not follow from those before it, or ``None``."""
    previous = GENESIS
    for number, entry in enumerate(entries, 1):
        if entry.number != number or entry.previous != previous or entry.digest != digest_of(entry):
            return number
        previous = entry.digest
    return None


def verify_log(session: Session) -> int | None:
    """``broken_link`` of the kept log; its end must be the one that the head names."""
    entries = session.scalars(select(LogEntry).order_by(LogEntry.number).execution_options(yield_per=1000))
    last = GENESIS
    count = 0

    def watched() -> Iterable[LogEntry]:
        nonlocal last, count
        for entry in entries:
            last, count = entry.digest, entry.number
            yield entry

    if (broken := broken_link(watched())) is not None:
        return broken
    head = session.get(LogHead, 1)
    return None if head is not None and head.digest == last else count + 1


def newest(session: Session, count: int) -> list[dict[str, Any]]:
    """The last ``count`` entries as plain data, oldest first."""
    query = select(LogEntry).order_by(LogEntry.number.desc()).limit(count)
    names = ("number", "kind", "namespace_id", "subject", "body", "previous", "digest")
    return [
        {name: getattr(entry, name) for name in names} | {"at": entry.at.isoformat()}
        for entry in reversed(list(session.scalars(query)))
    ]
