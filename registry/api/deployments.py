"""Deploy, status, and the endpoint of a deployed realtime handler."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query

from registry.api.caller import PUBLISHERS, READERS, Call
from registry.api.shapes import DeployAnswer, StatusAnswer
from registry.database.models import Release
from registry.errors import conflict
from registry.releases import catalogue, deployments

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/plugins/{plugin_id}", tags=["deployments"])


@router.post("/deploy", response_model=DeployAnswer)
def deploy(
    call: PUBLISHERS, plugin_id: str, deployment_type: Annotated[str, Query(max_length=40)] = "realtime"
) -> dict[str, Any]:
    """Queue the plugin's realtime handler, or with ``batch_only`` say that it has none to run."""
    with call.registry.database.write() as session:
        release = catalogue.find(session, call.namespace, plugin_id)
        stands = deployments.request(session, release, deployment_type, call.principal)
    call.registry.deployer.wake()
    return {
        "status": stands.status.lower(),
        "deployment_type": stands.kind,
        "message": _message(stands, release, approval=call.registry.settings.require_approval),
        "deployment_name": plugin_id,
        "route_prefix": _route(call, plugin_id),
        "estimated_completion_seconds": deployments.ESTIMATED_SECONDS if stands.position else 0,
        "queue_position": stands.position,
        "status_endpoint": f"/v1/namespaces/{call.namespace}/plugins/{plugin_id}/status",
    }


@router.get("/status", response_model=StatusAnswer)
def status(call: READERS, plugin_id: str) -> dict[str, Any]:
    """How the deployment stands; ask every few seconds."""
    with call.registry.database.read() as session:
        release = catalogue.find(session, call.namespace, plugin_id)
        stands = deployments.standing(session, release)
    realtime = stands.status == "DEPLOYED"
    return {
        "plugin_id": plugin_id,
        "status": stands.status,
        "realtime_enabled": realtime,
        "queued_at": stands.queued_at,
        "route_prefix": _route(call, plugin_id) if realtime else None,
        "error": stands.problem,
        "message": _message(stands, release, approval=call.registry.settings.require_approval),
        "review_status": release.review,
    }


@router.post("/realtime")
def predict(call: READERS, plugin_id: str, request: Annotated[dict[str, Any], Body()]) -> dict[str, Any]:
    """Call the deployed handler: what its ``predict`` returns."""
    with call.registry.database.read() as session:
        release = catalogue.find(session, call.namespace, plugin_id)
        stands = deployments.standing(session, release)
    if stands.status != "DEPLOYED":
        raise conflict(f"the plugin is not deployed ({stands.status.lower()}); POST …/deploy first")
    return call.registry.deployer.service(release).call(request)


def _route(call: Call, plugin_id: str) -> str:
    return f"/v1/namespaces/{call.namespace}/plugins/{plugin_id}/realtime"


def _message(stands: deployments.Standing, release: Release, *, approval: bool) -> str:
    if stands.status == "QUEUED":
        waits = deployments.awaits_approval(release, stands.status, required=approval)
        return "waits for a reviewer's approval" if waits else "queued; GET …/status tells how it goes on"
    return {
        "IN_PROGRESS": "its image is being built and its sandbox started",
        "DEPLOYED": "POST a request to route_prefix",
        "BATCH_ONLY": "it can be used in collections; no realtime handler runs",
        "FAILED": stands.problem or "failed",
    }.get(stands.status, stands.problem or "it is not deployed; POST …/deploy does so")
