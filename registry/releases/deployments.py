"""Asking for a deployment, and how it stands. Running it is the business of ``registry.running``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.access import Principal
from registry.database.models import Decision, Deployment, Release, now
from registry.errors import Refusal, invalid
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

    Raises a ``Refusal``: 400 for an unknown kind, 409 (``release_stopped``) for a release that a reviewer stopped.
    """
    if kind not in KINDS:
        raise invalid(f"{kind[:40]!r} is no deployment type; one of {', '.join(KINDS)}", field="deployment_type")
    if (why := stopped(session, release)) is not None:
        raise Refusal(409, "release_stopped", why, {"review": release.review})
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
        return Standing("NOT_DEPLOYED", None, None, stopped(session, release), None)
    position = None
    if deployment.status == "QUEUED":
        ahead = select(func.count()).where(
            Deployment.status == "QUEUED", Deployment.queued_at < deployment.queued_at
        )
        position = (session.scalar(ahead) or 0) + 1
    problem = deployment.problem
    if deployment.status == "NOT_DEPLOYED":
        problem = stopped(session, release) or problem
    return Standing(deployment.status, deployment.kind, deployment.queued_at, problem, position)


def awaits_approval(release: Release, status: str, *, required: bool) -> bool:
    """Whether a deployment with this status waits for a reviewer, where an approval is ``required``."""
    return required and status == "QUEUED" and release.review != "approved"


def stopped(session: Session, release: Release) -> str | None:
    """The sentence on a release that a reviewer stopped, with the reviewer's reason; ``None`` for others."""
    if release.review not in {"rejected", "quarantined"}:
        return None
    query = select(Decision.reason).where(Decision.release_id == release.release_id)
    reason = session.scalar(query.order_by(Decision.decided_at.desc()).limit(1))
    return f"a reviewer has {release.review} this release: {reason or 'no reason is kept'}"


def statuses(session: Session, releases: Sequence[Release]) -> dict[str, str]:
    """The deployments' statuses of some releases by release id; what was never deployed is not in it."""
    wanted = [release.release_id for release in releases]
    query = select(Deployment.release_id, Deployment.status).where(Deployment.release_id.in_(wanted))
    return {row.release_id: row.status for row in session.execute(query)}


def call_off(session: Session, release: Release, why: str) -> bool:
    """End a deployment; whether there was one to end."""
    deployment = session.get(Deployment, release.release_id, with_for_update=True)
    if deployment is None or deployment.status in {"NOT_DEPLOYED", "FAILED"}:
        return False
    deployment.status, deployment.changed_at, deployment.problem = "NOT_DEPLOYED", now(), why
    release.deployed = False
    append(session, Event("deployment.ended", release.namespace_id, release.plugin_id, {"reason": why}))
    return True
