"""List, show, delete and decide."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy.orm import Session

from registry.api.caller import PUBLISHERS, READERS, REVIEWERS
from registry.api.shapes import DecisionAnswer, DecisionRequest, DeleteAnswer, ListAnswer, PluginAnswer
from registry.database.models import Deployment, Release
from registry.releases import catalogue, deployments

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/plugins", tags=["plugins"])


@router.get("", response_model=ListAnswer)
def list_plugins(
    call: READERS,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    cursor: Annotated[str | None, Query(max_length=400)] = None,
) -> dict[str, Any]:
    """The namespace's plugins, newest first; ``cursor`` of one page asks for the next."""
    with call.registry.database.read() as session:
        page = catalogue.listed(session, call.namespace, limit, cursor)
        statuses = deployments.statuses(session, page.releases)
    required = call.registry.settings.require_approval
    return {
        "plugins": [
            item(release, statuses.get(release.release_id), approval=required) for release in page.releases
        ],
        "total": page.total,
        "namespace_id": call.namespace,
        "next_cursor": page.next_cursor,
    }


@router.get("/{plugin_id}", response_model=PluginAnswer)
def show_plugin(call: READERS, plugin_id: str) -> dict[str, Any]:
    """One plugin with its evidence: the table that reviewers see too."""
    with call.registry.database.read() as session:
        release = catalogue.find(session, call.namespace, plugin_id)
        return {"plugin": document(session, release, approval=call.registry.settings.require_approval)}


@router.delete("/{plugin_id}", response_model=DeleteAnswer)
def delete_plugin(call: PUBLISHERS, plugin_id: str) -> dict[str, Any]:
    """Delete a plugin. Its version is never published again."""
    with call.registry.database.write() as session:
        removed = catalogue.delete(session, call.namespace, plugin_id, call.principal)
    call.registry.deployer.wake()
    message = "deleted; its id is not given out again, so publish a higher version"
    return {"plugin_id": plugin_id, "message": message, "deployment_removed": removed}


@router.post("/{plugin_id}/decisions", response_model=DecisionAnswer)
def decide(call: REVIEWERS, plugin_id: str, body: DecisionRequest) -> dict[str, Any]:
    """Approve, reject or quarantine, with a reason that is kept for good."""
    with call.registry.database.write() as session:
        release = catalogue.find(session, call.namespace, plugin_id)
        decision = catalogue.decide(session, release, body.verdict, (call.principal, body.reason))
    call.registry.deployer.wake()
    return {"plugin_id": plugin_id, "review_status": decision.verdict, "decision_id": decision.decision_id}


def item(release: Release, deployment: str | None, *, approval: bool) -> dict[str, Any]:
    """A plugin as the list shows it. Everything that is listed passed its verification.

    ``deployment`` is its deployment's status, ``approval`` whether only what was approved is deployed.
    """
    status = deployment or "NOT_DEPLOYED"
    names = ["plugin_id", "name", "version", "description", "deployed", "created_at", "updated_at"]
    return {
        **{name: getattr(release, name) for name in names},
        "validation_status": "passed",
        "feature_uri": f"mixpeek://{release.name}@{release.version}",
        "review_status": release.review,
        "deployment_status": status,
        "awaits_approval": deployments.awaits_approval(release, status, required=approval),
    }


def document(session: Session, release: Release, *, approval: bool) -> dict[str, Any]:
    """A plugin whole."""
    evidence = catalogue.evidence_of(session, release)
    deployment = session.get(Deployment, release.release_id)
    return {
        **item(release, None if deployment is None else deployment.status, approval=approval),
        "code_hash": release.tar_sha256,
        "security_scan_passed": bool(evidence.scan.get("passed")),
        "deployment_info": None if deployment is None else deployment.facts | {"status": deployment.status},
        "manifest": release.manifest,
        "resolved_inference_name": None,
        "archive_sha256": release.archive_sha256,
        "archive_bytes": release.archive_bytes,
        "tar_sha256": release.tar_sha256,
        "facts": evidence.facts,
        "decisions": [
            {
                "verdict": decision.verdict,
                "reason": decision.reason,
                "author": decision.author,
                "decided_at": decision.decided_at.isoformat(),
            }
            for decision in catalogue.decisions_of(session, release)
        ],
    }
