"""Asking for a deployment, and how it stands. Running it is the business of ``registry.running``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.access import Principal
from registry.database.models import Deployment, Release, now
from registry.errors import conflict, invalid
from registry.log import Event, append

KINDS = ("realtime", "batch_only")
ESTIMATED_SECONDS = 60


@dataclass(frozen=True)
class Standing:
    """A deployment as its caller sees it; ``position`` counts from 1 while it is queued."""

    status: str
    kind: str | None
    queued_at: datetime | None
    problem: str | None
    position: int | None


def request(session: Session, release: Release, kind: str, principal: Principal) -> Standing:
    """Queue a release, unless it runs or is queued already; one that failed is tried again.

    Raises a ``Refusal``: 400 for an unknown kind, 409 for a release that a reviewer stopped.
    """
    if kind not in KINDS:
        raise invalid(f"{kind[:40]!r} is no deployment type; one of {', '.join(KINDS)}", field="deployment_type")
    if release.review in {"rejected", "quarantined"}:
        raise conflict(f"a reviewer has {release.review} this release; its page says why", review=release.review)
    deployment = session.get(Deployment, release.release_id, with_for_update=True)
    moment = now()
    if deployment is None:
        deployment = Deployment(release_id=release.release_id, kind=kind, status="NOT_DEPLOYED", facts={})
        session.add(deployment)
    if deployment.status in {"NOT_DEPLOYED", "FAILED"} or deployment.kind != kind:
        deployment.kind = kind
        deployment.status = "BATCH_ONLY" if kind == "batch_only" else "QUEUED"
        deployment.queued_at, deployment.changed_at = moment, moment
        deployment.facts, deployment.problem = {}, None
        event = Event("deployment.queued", release.namespace_id, release.plugin_id, {"by": principal.key_id})
        append(session, event)
    session.flush()
    return standing(session, release)


def standing(session: Session, release: Release) -> Standing:
    """How a release's deployment stands."""
    deployment = session.get(Deployment, release.release_id)
    if deployment is None:
        return Standing("NOT_DEPLOYED", None, None, None, None)
    position = None
    if deployment.status == "QUEUED":
        ahead = select(func.count()).where(
            Deployment.status == "QUEUED", Deployment.queued_at < deployment.queued_at
        )
        position = (session.scalar(ahead) or 0) + 1
    return Standing(deployment.status, deployment.kind, deployment.queued_at, deployment.problem, position)


def call_off(session: Session, release: Release, why: str) -> bool:
    """End a deployment; whether there was one to end."""
    deployment = session.get(Deployment, release.release_id, with_for_update=True)
    if deployment is None or deployment.status in {"NOT_DEPLOYED", "FAILED"}:
        return False
    deployment.status, deployment.changed_at, deployment.problem = "NOT_DEPLOYED", now(), why
    release.deployed = False
    append(session, Event("deployment.ended", release.namespace_id, release.plugin_id, {"reason": why}))
    return True
