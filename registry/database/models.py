"""The tables. What is listed is indexed for it; what must be unique is a constraint, not a question."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import JSON

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)


class Instant(TypeDecorator[datetime]):
    """A moment, kept as whole microseconds since 1970: one order and one meaning in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """To the database."""
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """From the database, in UTC."""
        return None if value is None else _EPOCH + value * _MICROSECOND


def now() -> datetime:
    """This moment in UTC."""
    return datetime.now(timezone.utc)


class Base(DeclarativeBase):
    """The root of every table."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: Instant, dict[str, Any]: JSON, list[Any]: JSON, list[str]: JSON}  # noqa: RUF012


class Key(Base):
    """A bearer key. ``digest`` is the SHA-256 of its 256 random bits; the key itself is shown once and not kept.

    ``namespaces`` lists what it opens; ``*`` opens all.
    """

    __tablename__ = "keys"

    key_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    label: Mapped[str] = mapped_column(String(200))
    role: Mapped[str] = mapped_column(String(20))
    namespaces: Mapped[list[str]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class Namespace(Base):
    """What is set for one namespace apart from the defaults."""

    __tablename__ = "namespaces"

    namespace_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    plugin_quota: Mapped[int] = mapped_column(Integer)


class Upload(Base):
    """One upload from its URL to its verdict; ``state`` is the re-verification's, see ``releases.states``."""

    __tablename__ = "uploads"
    __table_args__ = (
        Index("ix_uploads_state", "state", "confirmed_at"),
        Index("ix_uploads_namespace", "namespace_id", "state"),
        Index("ix_uploads_cleared", "cleared", "expires_at"),
    )

    upload_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    namespace_id: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(40))
    description: Mapped[str] = mapped_column(Text)
    object_key: Mapped[str] = mapped_column(String(400))
    expected_bytes: Mapped[int | None] = mapped_column(BigInteger)
    expected_sha256: Mapped[str | None] = mapped_column(String(64))
    publisher: Mapped[str] = mapped_column(String(40))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(20))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    retry_at: Mapped[datetime | None]
    plugin_id: Mapped[str | None] = mapped_column(String(120))
    claims: Mapped[dict[str, Any] | None]
    results: Mapped[dict[str, Any]]
    problem: Mapped[dict[str, Any] | None]
    cleared: Mapped[bool] = mapped_column(Boolean, default=False)


class Release(Base):
    """A plugin's version that passed. It is never overwritten; deleting leaves a tombstone (``deleted_at``).

    ``identity`` is the id without regard to case: two releases must not differ in case alone.
    """

    __tablename__ = "releases"
    __table_args__ = (
        UniqueConstraint("namespace_id", "identity"),
        Index("ix_releases_listing", "namespace_id", "deleted_at", "created_at", "plugin_id"),
        Index("ix_releases_review", "review", "deleted_at", "created_at", "release_id"),
        Index("ix_releases_versions", "namespace_id", "name", "created_at"),
    )

    release_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    namespace_id: Mapped[str] = mapped_column(String(100))
    plugin_id: Mapped[str] = mapped_column(String(120))
    identity: Mapped[str] = mapped_column(String(120))
    name: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(40))
    description: Mapped[str] = mapped_column(Text)
    upload_id: Mapped[str] = mapped_column(ForeignKey("uploads.upload_id"), unique=True)
    publisher: Mapped[str] = mapped_column(String(40))
    archive_key: Mapped[str] = mapped_column(String(400))
    archive_sha256: Mapped[str] = mapped_column(String(64))
    archive_bytes: Mapped[int] = mapped_column(BigInteger)
    tar_sha256: Mapped[str] = mapped_column(String(64))
    manifest: Mapped[dict[str, Any]]
    review: Mapped[str] = mapped_column(String(20))
    deployed: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class Evidence(Base):
    """What was re-verified of a release, apart from the listed columns: lists stay small and quick."""

    __tablename__ = "evidence"

    release_id: Mapped[str] = mapped_column(ForeignKey("releases.release_id"), primary_key=True)
    facts: Mapped[list[Any]]
    scan: Mapped[dict[str, Any]]
    files: Mapped[list[Any]]
    record: Mapped[dict[str, Any] | None]


class Decision(Base):
    """A reviewer's word on a release, with author and reason, kept for good."""

    __tablename__ = "decisions"
    __table_args__ = (Index("ix_decisions_release", "release_id", "decided_at"),)

    decision_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("releases.release_id"))
    verdict: Mapped[str] = mapped_column(String(20))
    reason: Mapped[str] = mapped_column(Text)
    key_id: Mapped[str] = mapped_column(String(40))
    author: Mapped[str] = mapped_column(String(200))
    decided_at: Mapped[datetime]


class LogEntry(Base):
    """One link of the chain: ``digest`` covers everything before it, so nothing can be taken out unseen."""

    __tablename__ = "log"

    number: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(60))
    namespace_id: Mapped[str] = mapped_column(String(100))
    subject: Mapped[str] = mapped_column(String(200))
    body: Mapped[dict[str, Any]]
    previous: Mapped[str] = mapped_column(String(64), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)


class LogHead(Base):
    """The chain's one end; its row is locked by whoever appends."""

    __tablename__ = "log_head"

    only: Mapped[int] = mapped_column(Integer, primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


class Deployment(Base):
    """What runs, or should run, for a release."""

    __tablename__ = "deployments"
    __table_args__ = (Index("ix_deployments_status", "status", "queued_at"),)

    release_id: Mapped[str] = mapped_column(ForeignKey("releases.release_id"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    status: Mapped[str] = mapped_column(String(20))
    queued_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    facts: Mapped[dict[str, Any]]
    problem: Mapped[str | None] = mapped_column(Text)


class Collection(Base):
    """A bucket's rows put through a published plugin."""

    __tablename__ = "collections"
    __table_args__ = (UniqueConstraint("namespace_id", "name"), Index("ix_collections_status", "status"))

    collection_id: Mapped[str] = mapped_column(String(60), primary_key=True)
    namespace_id: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    release_id: Mapped[str] = mapped_column(ForeignKey("releases.release_id"))
    request: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(String(20))
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    results: Mapped[dict[str, Any]]
    problem: Mapped[str | None] = mapped_column(Text)


class Answered(Base):
    """What an idempotency key was answered, so that the same call again gets the same answer."""

    __tablename__ = "answered"
    __table_args__ = (Index("ix_answered_at", "at"),)

    key_id: Mapped[str] = mapped_column(String(40), primary_key=True)
    idempotency_key: Mapped[str] = mapped_column(String(255), primary_key=True)
    request_digest: Mapped[str] = mapped_column(String(64))
    body: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class BrowserSession(Base):
    """A reviewer's login. ``digest`` is the SHA-256 of the cookie's random value."""

    __tablename__ = "browser_sessions"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    key_id: Mapped[str] = mapped_column(ForeignKey("keys.key_id"))
    form_token: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
