"""POST …/plugins/uploads and …/uploads/{id}/confirm."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Header
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from registry.api.caller import PUBLISHERS, Call
from registry.api.shapes import BeginAnswer, BeginRequest, ConfirmAnswer, ConfirmRequest
from registry.database.models import Answered, Release, Upload, now
from registry.errors import Refusal, invalid, not_found
from registry.releases.states import WORKING, State
from registry.releases.uploads import Begin, Claims, begin, confirm, terms_of
from toolchain.core.digests import sha256_json

router = APIRouter(prefix="/v1/namespaces/{namespace_id}/plugins/uploads", tags=["uploads"])

_UPLOAD_ID = re.compile(r"plu_[0-9a-f]{32}")
_REMEMBERED = timedelta(hours=24)
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


@router.post("", response_model=BeginAnswer)
def begin_upload(
    call: PUBLISHERS, body: BeginRequest, idempotency_key: Annotated[str | None, Header()] = None
) -> dict[str, Any]:
    """Announce an upload and get its signed URL. The same ``Idempotency-Key`` gets the same answer for a day,
    unless what it began was refused since."""
    if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise invalid("an idempotency key is 1 to 255 visible ASCII characters", field="Idempotency-Key")
    try:
        return _begin(call, body, idempotency_key)
    except IntegrityError:
        return _begin(call, body, idempotency_key)  # the same key was used at the same moment: take its answer


def _begin(call: Call, body: BeginRequest, idempotency_key: str | None) -> dict[str, Any]:
    registry = call.registry
    asked = sha256_json([call.namespace, body.model_dump()])
    wanted = Begin(
        body.name,
        body.version,
        body.description or "",
        body.file_size_bytes,
        body.checksum_sha256,
        body.presigned_url_expiration,
    )
    with registry.database.write() as session:
        if idempotency_key is not None:
            session.execute(delete(Answered).where(Answered.at < now() - _REMEMBERED))
            known = session.get(Answered, (call.principal.key_id, idempotency_key))
            if known is not None:
                if known.request_digest != asked:
                    message = "this idempotency key was used for another request; use a new one"
                    raise Refusal(422, "idempotency_key_reused", message)
                if _goes_on(session, known.body):
                    return known.body
                session.delete(known)
                session.flush()
        upload = begin(session, registry.settings.limits, call.namespace, wanted, call.principal)
        ticket = registry.storage.ticket(terms_of(upload, wanted.url_seconds))
        answer = BeginAnswer(
            upload_id=upload.upload_id,
            presigned_url=ticket.url,
            s3_key=upload.object_key,
            expires_at=upload.expires_at,
            namespace_id=upload.namespace_id,
            name=upload.name,
            version=upload.version,
            upload_headers=dict(ticket.headers),
            accepts=["checksum_sha256", "record"],
        ).model_dump(mode="json")
        if idempotency_key is not None:
            session.add(
                Answered(
                    key_id=call.principal.key_id,
                    idempotency_key=idempotency_key,
                    request_digest=asked,
                    body=answer,
                    at=now(),
                )
            )
    return answer


def _goes_on(session: Session, answer: dict[str, Any]) -> bool:
    """Whether an upload that was answered before leads anywhere: a refused one is judged anew, as a new upload."""
    upload = session.get(Upload, answer["upload_id"])
    if upload is None or State(upload.state) in {State.REFUSED, State.EXPIRED}:
        return False
    if State(upload.state) is not State.PUBLISHED:
        return True
    query = select(Release.deleted_at).where(
        Release.namespace_id == upload.namespace_id, Release.plugin_id == upload.plugin_id
    )
    return session.scalar(query) is None


@router.post("/{upload_id}/confirm", response_model=ConfirmAnswer)
def confirm_upload(call: PUBLISHERS, upload_id: str, body: ConfirmRequest | None = None) -> dict[str, Any]:
    """Say that the archive is there. Answers when the verdict is there or, with ``pending``, after some seconds:
    the same call again tells how it stands."""
    if not _UPLOAD_ID.fullmatch(upload_id):
        raise not_found("the upload", "begin a new one with POST …/plugins/uploads")
    said = body or ConfirmRequest()
    claims = Claims(said.etag, said.file_size_bytes, said.message, said.record)
    registry = call.registry
    upload = confirm(registry.database, registry.storage, (call.namespace, upload_id), claims)
    if State(upload.state) in WORKING:
        registry.worker.wake()
        upload = registry.worker.wait_for(upload_id, registry.settings.limits.confirm_wait_seconds)
    return confirm_answer(upload)


def confirm_answer(upload: Upload) -> dict[str, Any]:
    """How an upload stands, in the contract's shape."""
    state, problem = State(upload.state), upload.problem or {}
    published = state is State.PUBLISHED
    status = {State.PUBLISHED: "passed", State.REFUSED: "failed", State.EXPIRED: "failed"}.get(state, "pending")
    return {
        "success": status != "failed",
        "upload_id": upload.upload_id,
        "plugin_id": upload.plugin_id,
        "validation_status": status,
        "validation_errors": problem.get("texts", []),
        "deployment_status": "not_deployed",
        "feature_uri": f"mixpeek://{upload.name}@{upload.version}" if published else None,
        "s3_archive_url": upload.results["archive"]["key"] if "archive" in upload.results else None,
        "message": _message(upload, state, problem),
        "state": state.value,
        "violations": problem.get("reasons", []),
        "facts": upload.results.get("facts", []),
    }


def _message(upload: Upload, state: State, problem: dict[str, Any]) -> str:
    if state is State.PUBLISHED:
        return f"{upload.name} {upload.version} was verified and published; deploy it next"
    if state is State.REFUSED:
        count = len(problem.get("texts", []))
        return f"refused for {count} reason{'' if count == 1 else 's'}; mend them and begin a new upload"
    if "waiting" in problem:
        return f"the verification waits for the registry itself ({problem['waiting']}); it goes on by itself"
    return f"under verification ({state.value}); confirm again to see how it stands"
