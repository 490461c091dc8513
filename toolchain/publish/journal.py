"""Remembers how far a publication came, so that the same command finishes it after any interruption."""

from __future__ import annotations

import json
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Final

from toolchain.core.digests import sha256_json
from toolchain.core.errors import MixpeekError
from toolchain.publish.client.models import Upload

BEGUN, STORED, CONFIRMED = "begun", "stored", "confirmed"
_MARGIN: Final = timedelta(seconds=60)


class JournalUnavailable(MixpeekError):
    """The folder that remembers publications cannot be written."""

    id = "journal-unavailable"


@dataclass(frozen=True)
class Place:
    """What is published where: one journal entry for each."""

    base_url: str
    namespace: str
    name: str
    version: str


@dataclass(frozen=True)
class Entry:
    """How far it came with the archive of this digest. ``upload`` may write to the store: it is kept private."""

    archive_sha256: str
    stage: str
    upload: Upload | None = field(default=None, repr=False)
    etag: str | None = None
    plugin_id: str | None = None

    def usable(self, now: datetime) -> bool:
        """Whether the upload can still be written to."""
        if self.upload is None:
            return False
        try:
            ends = datetime.fromisoformat(str(self.upload.expires_at).replace("Z", "+00:00"))
        except ValueError:
            return False  # unknown: a new one costs nothing
        ends = ends if ends.tzinfo else ends.replace(tzinfo=timezone.utc)
        return ends - _MARGIN > now


class Journal:
    """Entries as files that only the user can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, place: Place) -> Entry | None:
        """The entry for a place; ``None`` when there is none, or it cannot be read."""
        try:
            found = json.loads(self._path(place).read_bytes())
            upload = found["upload"]
            return Entry(
                str(found["archive_sha256"]),
                str(found["stage"]),
                None if upload is None else Upload.model_validate(upload),
                found["etag"],
                found["plugin_id"],
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, place: Place, entry: Entry) -> None:
        """Remember an entry. Raises ``JournalUnavailable``."""
        upload: dict[str, Any] | None = None if entry.upload is None else entry.upload.model_dump()
        document = {**vars(entry), "upload": upload}
        path = self._path(place)
        partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
                json.dump(document, stream)
            partial.replace(path)
        except OSError as reason:
            with suppress(OSError):
                partial.unlink()
            remedy = "set MIXPEEK_STATE_DIR to a folder that you may write"
            message = f"it cannot be remembered how far this came: {reason.strerror}"
            raise JournalUnavailable(message, where=str(path), remedy=remedy) from None

    def forget(self, place: Place) -> None:
        """Drop the entry for a place."""
        with suppress(OSError):
            self._path(place).unlink()

    def _path(self, place: Place) -> Path:
        return self._folder / f"{place.name[:64]}-{sha256_json(vars(place))[:24]}.json"
