"""Files of a cache that give an answer only if this user's program wrote them.

The seal is an HMAC under a key that lies outside of the cache, so that a cache that was restored from elsewhere,
or that others may write, cannot turn a finding into a pass. Whoever can read this user's files can read the key:
see the security model.
"""

from __future__ import annotations

import hmac
import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_KEY_BYTES = 32


@dataclass(frozen=True)
class SealedPlace:
    """Where results are kept, and the file of the key that seals them; the two must not share a folder."""

    folder: Path
    key: Path

    def find(self, name: str) -> bytes | None:
        """What was kept under ``name``; ``None`` for nothing, and for a file that is not ours."""
        with suppress(OSError):
            seal, _, payload = self._path(name).read_bytes().partition(b"\n")
            if hmac.compare_digest(seal, self._seal(name, payload)):
                return payload
        return None

    def keep(self, name: str, payload: bytes) -> None:
        """Keep ``payload`` under ``name``; a place that cannot be written costs time only."""
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make_key()
            temporary = self.folder / f".{name}.{os.urandom(4).hex()}"
            temporary.write_bytes(self._seal(name, payload) + b"\n" + payload)
            temporary.replace(self._path(name))

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _seal(self, name: str, payload: bytes) -> bytes:
        """The payload bound to its place. Raises ``OSError`` for a key that others may have written or read."""
        handle = os.open(self.key, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as stream:
            status = os.fstat(handle)
            secret = stream.read(_KEY_BYTES + 1)
        ours = status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
        if not ours or len(secret) != _KEY_BYTES:
            raise PermissionError("the key of the cache is not this user's alone")
        return hmac.digest(secret, f"{name}\n".encode() + payload, "sha256").hex().encode()

    def _make_key(self) -> None:
        if self.key.exists():
            return
        self.key.parent.mkdir(parents=True, exist_ok=True)
        # Linked when whole: nobody finds half a key, and an interruption leaves none that would never seal again.
        temporary = self.key.with_name(f".{self.key.name}.{os.urandom(4).hex()}")
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                stream.write(os.urandom(_KEY_BYTES))
            with suppress(FileExistsError):
                os.link(temporary, self.key)
        finally:
            temporary.unlink(missing_ok=True)
