"""Clears away what uploads leave behind: those never confirmed expire, and what lay at their URLs is removed."""

from __future__ import annotations

from sqlalchemy import select, update

from registry.database.connection import Database
from registry.database.models import Upload, now
from registry.log import Event, append
from registry.releases.states import ENDED, State
from registry.releases.uploads import UPLOAD_GRACE
from registry.storage import Storage

_AT_ONCE = 100


def sweep(database: Database, storage: Storage) -> int:
    """Clear uploads whose URL is over; how many. Kept archives are not touched: they have keys of their own.

    Not before: an object that is removed while its URL lives could be sent again. Raises ``StorageFault``.
    """
    over = now() - UPLOAD_GRACE
    states = [State.AWAITING.value, *(state.value for state in ENDED)]
    query = select(Upload).where(Upload.cleared.is_(False), Upload.expires_at < over, Upload.state.in_(states))
    with database.read() as session:
        found = list(session.scalars(query.limit(_AT_ONCE)))
    return sum(_clear(database, storage, upload) for upload in found)


def _clear(database: Database, storage: Storage, upload: Upload) -> bool:
    """Expire first, remove then: whoever confirms at this very moment keeps what was sent."""
    row = update(Upload).where(Upload.upload_id == upload.upload_id)
    if upload.state == State.AWAITING.value:
        query = row.where(Upload.state == upload.state).values(state=State.EXPIRED.value)
        with database.write() as session:
            if session.execute(query.returning(Upload.upload_id)).first() is None:
                return False
            append(session, Event("upload.expired", upload.namespace_id, upload.upload_id, {}))
    storage.remove(upload.object_key)
    with database.write() as session:
        session.execute(row.values(cleared=True))
    return True
