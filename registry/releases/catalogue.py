"""Listing, showing and deleting releases; what reviewers decide."""

from __future__ import annotations

import base64
import binascii
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, func, literal, select, tuple_, update
from sqlalchemy.orm import Session

from registry.access import Principal
from registry.database.models import Decision, Evidence, Instant, Release, now
from registry.errors import invalid, not_found
from registry.log import Event, append
from registry.releases.deployments import call_off

VERDICTS = {"approve": "approved", "reject": "rejected", "quarantine": "quarantined"}
PLUGIN_ID = re.compile(r"[A-Za-z0-9_]{1,120}")
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@dataclass(frozen=True)
class Page:
    """Some releases, how many there are in all, and where the next page begins."""

    releases: list[Release]
    total: int
    next_cursor: str | None


def listed(session: Session, namespace: str, limit: int, cursor: str | None) -> Page:
    """The live releases of a namespace, newest first. Raises a ``Refusal`` with 400 for a cursor that is none.

    Keyset pagination: a page costs the same wherever it begins, and what is published meanwhile moves no page.
    """
    live = (Release.namespace_id == namespace, Release.deleted_at.is_(None))
    query = select(Release).where(*live).order_by(Release.created_at.desc(), Release.plugin_id.desc())
    if cursor is not None:
        query = query.where(tuple_(Release.created_at, Release.plugin_id) < tuple_(*place(cursor)))
    found = list(session.scalars(query.limit(limit + 1)))
    total = session.scalar(select(func.count()).where(*live)) or 0
    more = found[limit - 1] if len(found) > limit else None
    return Page(found[:limit], total, cursor_at(more.created_at, more.plugin_id) if more is not None else None)


def find(session: Session, namespace: str, plugin_id: str) -> Release:
    """A live release. Raises a ``Refusal`` with 404."""
    query = select(Release).where(
        Release.namespace_id == namespace, Release.identity == plugin_id.lower(), Release.deleted_at.is_(None)
    )
    release = session.scalar(query) if PLUGIN_ID.fullmatch(plugin_id) else None
    if release is None or release.plugin_id != plugin_id:
        raise not_found("the plugin", "check the namespace and the id; `mixpeek plugin list` shows both")
    return release


def evidence_of(session: Session, release: Release) -> Evidence:
    """What was re-verified of a release."""
    return session.get_one(Evidence, release.release_id)


def delete(session: Session, namespace: str, plugin_id: str, principal: Principal) -> bool:
    """Make a tombstone of a release; whether a deployment went with it. The archive and the log stay.

    Raises a ``Refusal`` with 404.
    """
    release = find(session, namespace, plugin_id)
    moment = now()
    session.execute(
        update(Release)
        .where(Release.release_id == release.release_id, Release.deleted_at.is_(None))
        .values(deleted_at=moment, updated_at=moment, deployed=False)
    )
    removed = call_off(session, release, "the plugin was deleted")
    append(session, Event("release.deleted", namespace, plugin_id, {"by": principal.key_id}))
    return removed


def decide(session: Session, release: Release, verdict: str, word: tuple[Principal, str]) -> Decision:
    """Note a reviewer's decision. Raises a ``Refusal`` with 400 for an unknown verdict or an empty reason."""
    principal, reason = word
    if verdict not in VERDICTS:
        raise invalid(f"{verdict[:40]!r} is no verdict; one of {', '.join(VERDICTS)}", field="verdict")
    if not reason.strip():
        raise invalid("a decision needs a reason; it is kept for good", field="reason")
    moment = now()
    decision = Decision(
        decision_id=f"dec_{secrets.token_hex(16)}",
        release_id=release.release_id,
        verdict=VERDICTS[verdict],
        reason=reason.strip(),
        key_id=principal.key_id,
        author=principal.label,
        decided_at=moment,
    )
    session.add(decision)
    session.execute(
        update(Release)
        .where(Release.release_id == release.release_id)
        .values(review=decision.verdict, updated_at=moment)
    )
    if decision.verdict in {"rejected", "quarantined"}:
        call_off(session, release, f"a reviewer has {decision.verdict} the release")
    body = {"verdict": decision.verdict, "reason": decision.reason, "by": principal.key_id}
    append(session, Event("release.decided", release.namespace_id, release.plugin_id, body))
    return decision


def decisions_of(session: Session, release: Release) -> list[Decision]:
    """Every decision on a release, oldest first."""
    query = select(Decision).where(Decision.release_id == release.release_id).order_by(Decision.decided_at)
    return list(session.scalars(query))


def last_approved(session: Session, release: Release) -> Release | None:
    """The newest approved release of the same plugin before this one."""
    query = select(Release).where(
        Release.namespace_id == release.namespace_id,
        Release.name == release.name,
        Release.review == "approved",
        Release.created_at < release.created_at,
    )
    return session.scalar(query.order_by(Release.created_at.desc()).limit(1))


def cursor_at(moment: datetime, identity: str) -> str:
    """The place behind an item of a list, as text for a URL."""
    microseconds = (moment - _EPOCH) // timedelta(microseconds=1)
    return base64.urlsafe_b64encode(json.dumps([microseconds, identity]).encode()).decode().rstrip("=")


def place(cursor: str) -> tuple[ColumnElement[datetime], ColumnElement[str]]:
    """Where a cursor points. Raises a ``Refusal`` with 400 for one that is none of ours."""
    try:
        moment, plugin_id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if not isinstance(moment, int) or not PLUGIN_ID.fullmatch(plugin_id):
            raise ValueError
        # With its type: a bare tuple would compare microseconds with a date's text.
        return literal(_EPOCH + timedelta(microseconds=moment), Instant()), literal(plugin_id)
    except (binascii.Error, ValueError, TypeError, OverflowError, RecursionError):
        raise invalid("the cursor is none of ours; begin without one", field="cursor") from None
