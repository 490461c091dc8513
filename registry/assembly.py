"""Puts a registry together from its settings."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from registry.access import Keys, Rates
from registry.database import Database, migrate
from registry.database.models import Base
from registry.releases.contents import Contents
from registry.releases.steps import Verifier
from registry.releases.worker import Bench, Worker
from registry.running.collector import Buckets, Collector
from registry.running.deployer import Deployer
from registry.settings import RegistrySettings, make_folder
from registry.storage import FileStorage, Storage
from toolchain.core.errors import UsageFault


@dataclass(frozen=True)
class Registry:
    """A registry's parts, as the API and the pages use them."""

    settings: RegistrySettings
    database: Database
    storage: Storage
    contents: Contents
    keys: Keys
    rates: Rates
    strangers: Rates
    worker: Worker
    deployer: Deployer
    collector: Collector


@contextmanager
def open_registry(settings: RegistrySettings) -> Iterator[Registry]:
    """A context with a registry whose database is migrated; its worker is not started.

    Raises ``UsageFault`` when another server holds the same data folder or it cannot be written, and for URLs of
    storage or database that are none; a ``Refusal`` with 503 for a database that does not answer or whose user may
    not do what a registry does.
    """
    make_folder(settings.data)
    with _alone(settings.data):
        scratch = _emptied(settings.data / "scratch")
        database = Database(settings.database)
        try:
            migrate(database)
            database.check_rights(Base.metadata.sorted_tables)
            storage = open_storage(settings)
            limits = settings.limits
            verifier = Verifier(storage, limits, settings.trusted_keys)
            yield Registry(
                settings,
                database,
                storage,
                Contents(storage, limits, scratch),
                Keys(database),
                Rates(limits.requests_per_minute, limits.burst),
                Rates(per_minute=30, burst=30),
                Worker(Bench(database, verifier, limits, scratch)),
                Deployer(database, storage, settings.engine, scratch, approval=settings.require_approval),
                Collector(database, storage, settings.engine, Buckets(settings.data / "buckets"), scratch),
            )
        finally:
            database.close()


def open_storage(settings: RegistrySettings) -> Storage:
    """The store that the settings name."""
    if settings.storage_url is None:
        return FileStorage(settings.data, settings.public_url)
    parts = urlsplit(settings.storage_url)
    if parts.scheme != "s3" or not parts.netloc:
        raise UsageFault(
            "unknown kind of storage", where=settings.storage_url, remedy="write s3://BUCKET or s3://BUCKET/PREFIX"
        )
    from registry.storage.s3 import S3Storage

    return S3Storage(parts.netloc, parts.path, settings.s3_endpoint)


def _emptied(scratch: Path) -> Path:
    """The folder for temporary files, without what a server that was killed left in it."""
    if scratch.exists():
        shutil.rmtree(scratch)
    scratch.mkdir(mode=0o700)
    return scratch


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Hold the data folder: two servers over one would each think that the other's uploads are leftovers."""
    try:
        handle = os.open(data / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as reason:
        message = f"the data folder cannot be written: {reason.strerror}"
        raise UsageFault(message, where=str(data), remedy="name a folder that you may write with --data") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            remedy = "stop it, or give this one another --data; several servers share a PostgreSQL and an S3"
            raise UsageFault("another registry uses this folder", where=str(data), remedy=remedy) from None
        yield
    finally:
        os.close(handle)
