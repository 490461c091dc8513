"""What a registry is told when it starts, as data; the command line reads it, nothing else does."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from toolchain.core.containers import ContainerEngine, connect
from toolchain.core.errors import UsageFault

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """Bounds on what publishers may ask: counts, bytes, seconds, requests.

    Sources: the platform's API (quota 10, 500 MB archive, 500 MB extracted, 1,000 files, URLs of 60 to 86,400 s);
    the rest is ours.
    """

    plugins: int = 10
    archive_bytes: int = 500 * MEBIBYTE
    extracted_bytes: int = 500 * MEBIBYTE
    files: int = 1_000
    open_uploads: int = 50
    body_bytes: int = 48 * MEBIBYTE
    requests_per_minute: int = 600
    burst: int = 120
    confirm_wait_seconds: float = 8.0
    confirm_attempts: int = 5


def make_folder(folder: Path) -> None:
    """Make the data folder, for its owner alone. Raises ``UsageFault`` when nothing can be written there."""
    remedy = "name a folder that you may write with --data"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as reason:
        message = f"the data folder cannot be made: {reason.strerror}"
        raise UsageFault(message, where=str(folder), remedy=remedy) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageFault("the data folder cannot be written", where=str(folder), remedy=remedy)


@dataclass(frozen=True)
class RegistrySettings:
    """Where a registry keeps its things and what it allows.

    ``data`` holds everything of the embedded default: the database, the objects, the secret. ``database_url`` is
    SQLAlchemy's; ``storage_url`` is ``None`` for files below ``data`` or ``s3://BUCKET[/PREFIX]``, and
    ``s3_endpoint`` names a server that is not the public one. ``public_url`` is how publishers reach this server.
    ``engine`` connects to the container engine that deployments run on.
    """

    data: Path
    public_url: str
    database_url: str | None = None
    storage_url: str | None = None
    s3_endpoint: str | None = None
    require_approval: bool = False
    trusted_keys: Path | None = None
    engine: Callable[[], ContainerEngine] = connect
    limits: Limits = field(default_factory=Limits)

    @property
    def database(self) -> str:
        """The database's URL, the embedded one by default."""
        return self.database_url or f"sqlite:///{(self.data / 'registry.sqlite').resolve()}"
