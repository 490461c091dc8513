"""The published shapes of requests and answers; what is ours beside them says so."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from registry.texts import is_clean
from toolchain.core.digests import canonical_json


def _clean(text: str) -> str:
    if not is_clean(text):
        raise ValueError("it holds invisible characters")
    return text


Text = Annotated[str, AfterValidator(_clean)]


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    try:
        canonical_json(value)  # refuses NaN and lone surrogates, which no database or digest could hold
    except (ValueError, RecursionError):
        raise ValueError("it is no JSON that could be kept: it holds NaN, Infinity or half a character") from None
    return value


Document = Annotated[dict[str, Any], AfterValidator(_plain)]


class Shape(BaseModel):
    """Unknown fields of a request are passed over: clients of another release send some."""

    model_config = ConfigDict(extra="ignore")


class BeginRequest(Shape):
    """POST …/plugins/uploads. ``checksum_sha256`` (hexadecimal) is ours: it binds the URL to the bytes."""

    name: Text = Field(max_length=200)
    version: Text | None = Field(default=None, max_length=60)
    description: Text | None = Field(default=None, max_length=500)
    file_size_bytes: int | None = Field(default=None, ge=1, le=1 << 50)
    presigned_url_expiration: int = Field(default=3600, ge=60, le=86_400)
    checksum_sha256: Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")] | None = None


class BeginAnswer(Shape):
    """``upload_headers`` must come with the PUT; ``accepts`` names what confirm takes beside the documented."""

    success: bool = True
    upload_id: str
    presigned_url: str
    s3_key: str
    expires_at: datetime
    namespace_id: str
    name: str
    version: str
    upload_headers: dict[str, str]
    accepts: list[str]


class ConfirmRequest(Shape):
    """POST …/confirm. ``record`` is ours: the sidecar that ``mixpeek plugin pack`` wrote, as JSON."""

    etag: Text | None = Field(default=None, max_length=200)
    file_size_bytes: int | None = Field(default=None, ge=0, le=1 << 50)
    message: Text | None = Field(default=None, max_length=2_000)
    record: Document | None = None


class Violation(Shape):
    """One reason, in the platform's shape."""

    file: str | None
    line: int | None
    column: int | None
    message: str
    severity: str
    rule: str


class FactLine(Shape):
    """One line of the evidence table: claimed, re-verified, differs or not checked."""

    fact: str
    standing: str
    claimed: str | None
    found: str | None
    note: str


class ConfirmAnswer(Shape):
    """``state``, ``violations`` and ``facts`` are ours."""

    success: bool
    upload_id: str
    plugin_id: str | None
    validation_status: str
    validation_errors: list[str]
    deployment_status: str
    feature_uri: str | None
    s3_archive_url: str | None
    message: str
    state: str
    violations: list[Violation]
    facts: list[FactLine]


class PluginItem(Shape):
    """One plugin of the list. ``review_status``, ``deployment_status`` and ``awaits_approval`` are ours."""

    plugin_id: str
    name: str
    version: str
    description: str
    deployed: bool
    validation_status: str
    feature_uri: str
    created_at: datetime
    updated_at: datetime
    review_status: str
    deployment_status: str
    awaits_approval: bool


class ListAnswer(Shape):
    """``next_cursor`` is ours: the ``cursor`` of the next page, ``null`` on the last."""

    success: bool = True
    plugins: list[PluginItem]
    total: int
    namespace_id: str
    next_cursor: str | None


class PluginDocument(PluginItem):
    """``facts``, ``decisions``, ``archive_sha256`` and ``tar_sha256`` are ours."""

    code_hash: str
    security_scan_passed: bool
    deployment_info: dict[str, Any] | None
    manifest: dict[str, Any]
    resolved_inference_name: str | None
    archive_sha256: str
    archive_bytes: int
    tar_sha256: str
    facts: list[FactLine]
    decisions: list[dict[str, Any]]


class PluginAnswer(Shape):
    """GET …/plugins/{id}."""

    success: bool = True
    plugin: PluginDocument


class DeleteAnswer(Shape):
    """DELETE …/plugins/{id}."""

    success: bool = True
    plugin_id: str
    message: str
    deployment_removed: bool


class DecisionRequest(Shape):
    """POST …/plugins/{id}/decisions, which is ours: ``approve``, ``reject`` or ``quarantine``, with a reason."""

    verdict: Text = Field(max_length=40)
    reason: Text = Field(max_length=4_000)


class DecisionAnswer(Shape):
    """The decision as it is kept."""

    success: bool = True
    plugin_id: str
    review_status: str
    decision_id: str


class ErrorBody(Shape):
    """What went wrong, for people and for programs."""

    message: str
    type: str
    details: dict[str, Any]


class ErrorAnswer(Shape):
    """The envelope of every answer that is no success."""

    success: bool = False
    status: int
    error: ErrorBody


class DeployAnswer(Shape):
    """POST …/deploy."""

    success: bool = True
    status: str
    deployment_type: str
    message: str
    deployment_name: str
    route_prefix: str
    estimated_completion_seconds: int
    queue_position: int | None
    status_endpoint: str


class StatusAnswer(Shape):
    """GET …/status. ``review_status`` is ours."""

    success: bool = True
    plugin_id: str
    status: str
    realtime_enabled: bool
    queued_at: datetime | None
    route_prefix: str | None
    error: str | None
    message: str
    review_status: str
