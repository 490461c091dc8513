"""The last step: an upload that proved itself becomes a release, in one transaction."""

from __future__ import annotations

import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.database.models import Evidence, Release, Upload, now
from registry.errors import Refusal
from registry.log import Event, append
from registry.releases.refused import Reason, Refused
from registry.releases.uploads import check_free, check_quota, plugin_id_of
from registry.settings import Limits

REVIEWS = ("pending", "approved", "rejected", "quarantined")


def publish(session: Session, upload: Upload, limits: Limits) -> str:
    """Add the release; its plugin id. Raises ``Refused`` when the version is taken by other bytes.

    The same bytes a second time are the same release: two confirms of one archive are one success.
    """
    plugin_id = plugin_id_of(upload.name, upload.version)
    archive = upload.results["archive"]
    # One after the other: the log's end is locked first by everybody who publishes, so that what is asked here
    # still holds when the transaction ends.
    append(session, Event("upload.published", upload.namespace_id, upload.upload_id, {"plugin_id": plugin_id}))
    taken = session.scalar(
        select(Release).where(Release.namespace_id == upload.namespace_id, Release.identity == plugin_id.lower())
    )
    if taken is not None and taken.deleted_at is None and taken.archive_sha256 == archive["sha256"]:
        return taken.plugin_id
    try:
        check_free(session, upload.namespace_id, plugin_id)
        check_quota(session, upload.namespace_id, limits)
    except Refusal as refusal:
        raise Refused([Reason(f"release.{refusal.type}", refusal.message)]) from None
    release = _release(upload, plugin_id)
    session.add(release)
    session.flush()
    results = upload.results
    session.add(
        Evidence(
            release_id=release.release_id,
            facts=results["facts"],
            scan=results["scan"],
            files=results["files"],
            record=results["shown"],
        )
    )
    body = {
        "plugin_id": plugin_id,
        "archive_sha256": archive["sha256"],
        "tar_sha256": results["reading"]["tar_sha256"],
        "scan_rules_sha256": results["scan"]["rules"]["sha256"],
        "publisher": upload.publisher,
    }
    append(session, Event("release.published", upload.namespace_id, plugin_id, body))
    return plugin_id


def _release(upload: Upload, plugin_id: str) -> Release:
    moment = now()
    archive, reading, manifest = (upload.results[key] for key in ("archive", "reading", "manifest"))
    described = manifest.get("description")
    return Release(
        release_id=f"rel_{secrets.token_hex(16)}",
        namespace_id=upload.namespace_id,
        plugin_id=plugin_id,
        identity=plugin_id.lower(),
        name=upload.name,
        version=upload.version,
        description=upload.description or (described[:500] if isinstance(described, str) else ""),
        upload_id=upload.upload_id,
        publisher=upload.publisher,
        archive_key=archive["key"],
        archive_sha256=archive["sha256"],
        archive_bytes=archive["bytes"],
        tar_sha256=reading["tar_sha256"],
        manifest=manifest,
        review="pending",
        deployed=False,
        created_at=moment,
        updated_at=moment,
    )
