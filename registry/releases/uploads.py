"""Beginning an upload and confirming it."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.access import Principal
from registry.database.connection import Database
from registry.database.models import Namespace, Release, Upload, now
from registry.errors import Refusal, invalid, not_found
from registry.log import Event, append
from registry.releases.states import WORKING, State
from registry.settings import Limits
from registry.storage import Storage, UploadTerms
from toolchain.plugin.names import normalize_version, validate_name

_CONTENT_TYPE = "application/gzip"
# Between the last moment in which an upload may begin and the one in which it has surely ended.
UPLOAD_GRACE = timedelta(hours=1)


@dataclass(frozen=True)
class Begin:
    """What a publisher announces; ``file_bytes`` and ``sha256`` may be ``None``."""

    name: str
    version: str | None
    description: str
    file_bytes: int | None
    sha256: str | None
    url_seconds: int


@dataclass(frozen=True)
class Claims:
    """What a publisher says when confirming: size, ETag, message, and the record that came with the archive."""

    etag: str | None
    file_bytes: int | None
    message: str | None
    record: dict[str, Any] | None


def plugin_id_of(name: str, version: str) -> str:
    """``x`` 1.0.0 is ``x_1_0_0``; the last three parts are always the version, so no two releases share an id."""
    return f"{name}_{version.replace('.', '_')}"


def begin(session: Session, limits: Limits, namespace: str, wanted: Begin, principal: Principal) -> Upload:
    """Make room for an upload. Raises a ``Refusal``: 400, 403 (quota), 409 (exists), 413, 429 (too many open)."""
    _check_name(wanted.name)
    if wanted.file_bytes is not None and wanted.file_bytes > limits.archive_bytes:
        most = limits.archive_bytes >> 20
        raise Refusal(413, "too_large", f"the archive is {wanted.file_bytes} bytes; at most {most} MiB are taken")
    moment = now()
    upload_id = f"plu_{secrets.token_hex(16)}"
    version = _version(session, namespace, wanted)
    check_free(session, namespace, plugin_id_of(wanted.name, version))
    check_quota(session, namespace, limits)
    _check_open(session, namespace, limits)
    upload = Upload(
        upload_id=upload_id,
        namespace_id=namespace,
        name=wanted.name,
        version=version,
        description=wanted.description,
        object_key=f"uploads/{namespace}/{upload_id}/{wanted.name}-{version}.tar.gz",
        expected_bytes=wanted.file_bytes,
        expected_sha256=wanted.sha256,
        publisher=principal.key_id,
        created_at=moment,
        expires_at=moment + timedelta(seconds=wanted.url_seconds),
        state=State.AWAITING.value,
        attempts=0,
        results={},
        cleared=False,
    )
    session.add(upload)
    append(session, Event("upload.begun", namespace, upload_id, {"name": wanted.name, "version": version}))
    return upload


def terms_of(upload: Upload, seconds: int) -> UploadTerms:
    """What the upload's URL is bound to."""
    return UploadTerms(
        upload.object_key, max(1, seconds), _CONTENT_TYPE, upload.expected_bytes, upload.expected_sha256
    )


def confirm(database: Database, storage: Storage, place: tuple[str, str], claims: Claims) -> Upload:
    """Note that the publisher says the upload is there; called again, only tell how it stands.

    ``place`` is namespace and upload id. Raises a ``Refusal``: 404 for an unknown upload or a missing object, 400
    for an upload whose time is over.
    """
    with database.read() as session:
        upload = find_upload(session, *place)
    if State(upload.state) is State.AWAITING:
        _check_there(database, storage, upload)
        upload = _confirmed(database, place, claims)
    if State(upload.state) is State.EXPIRED:
        raise invalid("the upload expired before anything was sent; begin a new one", upload_id=upload.upload_id)
    return upload


def _confirmed(database: Database, place: tuple[str, str], claims: Claims) -> Upload:
    with database.write() as session:
        upload = find_upload(session, *place, lock=True)
        if State(upload.state) is State.AWAITING:  # of two who confirm at once, one does
            upload.state, upload.confirmed_at = State.CONFIRMED.value, now()
            upload.claims = asdict(claims)
            event = Event("upload.confirmed", place[0], place[1], {"with_record": claims.record is not None})
            append(session, event)
        return upload


def _check_there(database: Database, storage: Storage, upload: Upload) -> None:
    with storage.open(upload.object_key) as stream:
        there = stream is not None
    if there:
        return
    if now() <= upload.expires_at + UPLOAD_GRACE:
        message = "nothing was uploaded yet: send the archive with PUT to the presigned URL, then confirm again"
        raise Refusal(404, "object_missing", message, {"upload_id": upload.upload_id})
    with database.write() as session:
        late = find_upload(session, upload.namespace_id, upload.upload_id, lock=True)
        if State(late.state) is State.AWAITING:
            late.state = State.EXPIRED.value
            append(session, Event("upload.expired", upload.namespace_id, upload.upload_id, {}))
    raise invalid("the upload expired before anything was sent; begin a new one", upload_id=upload.upload_id)


def find_upload(session: Session, namespace: str, upload_id: str, *, lock: bool = False) -> Upload:
    """An upload of this namespace. Raises a ``Refusal`` with 404, also for one of another namespace."""
    found = session.get(Upload, upload_id, with_for_update=lock or None)
    if found is None or found.namespace_id != namespace:
        raise not_found("the upload", "begin a new one with POST …/plugins/uploads")
    return found


def check_free(session: Session, namespace: str, plugin_id: str) -> None:
    """Raise a ``Refusal`` with 409 when a release has, or had, this id."""
    query = select(Release).where(Release.namespace_id == namespace, Release.identity == plugin_id.lower())
    taken = session.scalar(query)
    if taken is None:
        return
    if taken.deleted_at is not None:
        message = f"{taken.plugin_id} was deleted; a version is never published twice, raise the version"
        raise Refusal(409, "version_deleted", message, {"plugin_id": taken.plugin_id})
    message = f"{taken.plugin_id} exists already; raise the version in manifest.py"
    details = {"plugin_id": taken.plugin_id, "archive_sha256": taken.archive_sha256}
    raise Refusal(409, "version_exists", message, details)


def check_quota(session: Session, namespace: str, limits: Limits) -> None:
    """Raise a ``Refusal`` with 403 when the namespace has as many plugins as it may."""
    own = session.get(Namespace, namespace)
    most = own.plugin_quota if own is not None else limits.plugins
    live = select(func.count()).where(Release.namespace_id == namespace, Release.deleted_at.is_(None))
    count = session.scalar(live) or 0
    if count >= most:
        message = f"the namespace has {count} plugins of {most}; delete one, or ask for a larger quota"
        raise Refusal(403, "quota_exceeded", message, {"quota": most, "plugins": count})


def _check_open(session: Session, namespace: str, limits: Limits) -> None:
    query = select(func.count()).where(
        Upload.namespace_id == namespace,
        Upload.state.in_([State.AWAITING.value, *(state.value for state in WORKING)]),
        Upload.expires_at > now(),
    )
    if (session.scalar(query) or 0) >= limits.open_uploads:
        message = (
            f"{limits.open_uploads} uploads of this namespace are open; finish them or wait until they expire"
        )
        raise Refusal(429, "too_many_uploads", message, {}, {"Retry-After": "60"})


def _check_name(name: str) -> None:
    problems = validate_name(name)
    if problems:
        raise invalid(f"{problems[0].message} Next step: {problems[0].remedy}", field="name")


def _version(session: Session, namespace: str, wanted: Begin) -> str:
    if wanted.version is not None:
        version = normalize_version(wanted.version)
        if version is None:
            raise invalid(f"{wanted.version[:60]!r} is no version; write X.Y.Z", field="version")
        return version
    # As on the platform: without a version the patch of the newest one is raised, tombstones included.
    versions = session.scalars(
        select(Release.version).where(Release.namespace_id == namespace, Release.name == wanted.name)
    )
    newest = max((tuple(map(int, version.split("."))) for version in versions), default=(0, 0, 0))
    return f"{newest[0]}.{newest[1]}.{newest[2] + 1}"
