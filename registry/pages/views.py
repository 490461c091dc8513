"""What the pages show, as plain values."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from registry.access import Principal
from registry.access.keys import ALL
from registry.database.models import Evidence, Release
from registry.errors import invalid, not_found
from registry.releases import catalogue
from registry.releases.deployments import standing
from registry.releases.differences import difference
from registry.releases.publishing import REVIEWS
from toolchain.scan.model import CLASSES

_PAGE = 50


def queue(session: Session, principal: Principal, state: str, cursor: str | None) -> dict[str, Any]:
    """One page of the releases in a review state, oldest first. Raises a ``Refusal`` for an unknown state."""
    if state not in REVIEWS:
        raise invalid(f"{state!r} is no state; one of {', '.join(REVIEWS)}")
    query = select(Release).where(Release.review == state, Release.deleted_at.is_(None))
    if ALL not in principal.namespaces:
        query = query.where(Release.namespace_id.in_(principal.namespaces))
    if cursor is not None:
        query = query.where(tuple_(Release.created_at, Release.release_id) > tuple_(*catalogue.place(cursor)))
    found = list(session.scalars(query.order_by(Release.created_at, Release.release_id).limit(_PAGE + 1)))
    last = found[_PAGE - 1] if len(found) > _PAGE else None
    following = catalogue.cursor_at(last.created_at, last.release_id) if last is not None else None
    return {"releases": found[:_PAGE], "state": state, "states": REVIEWS, "next_cursor": following}


def member(evidence: Evidence, name: str) -> dict[str, Any]:
    """A file of a release: size, digest and findings. Raises a ``Refusal`` with 404."""
    for known, size, _, digest in evidence.files:
        if known == name:
            findings = [finding for finding in evidence.scan["findings"] if finding["file"] == name]
            return {"size": size, "digest": digest, "findings": findings}
    raise not_found("the file", "the release's page lists its files")


def plugin(session: Session, release: Release) -> dict[str, Any]:
    """A release with its evidence, findings, bill of materials, difference and decisions."""
    evidence = catalogue.evidence_of(session, release)
    before = catalogue.last_approved(session, release)
    record = evidence.record or {}
    return {
        "release": release,
        "facts": evidence.facts,
        "scan": evidence.scan,
        "findings": evidence.scan["findings"],
        "classes": CLASSES,
        "files": evidence.files,
        "packages": record.get("packages", []),
        "sbom": record.get("sbom"),
        "behaviour": record.get("behaviour"),
        "before": before,
        "difference": difference(catalogue.evidence_of(session, before), evidence) if before is not None else None,
        "decisions": catalogue.decisions_of(session, release),
        "deployment": standing(session, release),
    }
