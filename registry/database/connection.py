"""One database, two ways to use it: reading, and writing in one transaction that happens whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Table, create_engine, event, false, select
from sqlalchemy.engine import URL, Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from registry.errors import Refusal, unavailable
from toolchain.core.errors import UsageFault

_LOG = logging.getLogger(__name__)
_WAIT_SECONDS = 10
# insufficient_privilege, read_only_sql_transaction, and invalid_schema_name: no schema that the user may use.
_REFUSING = {"42501", "25006", "3F000"}
RIGHTS = "database_rights"
"""The type of the ``Refusal`` for a database that answers, but whose user may not do what a registry does."""
_CONNECTING = {"connect_timeout": str(_WAIT_SECONDS)}


class Database:
    """A pool of connections to SQLite or PostgreSQL.

    ``read`` and ``write`` are contexts with a session. ``write`` commits on leaving and takes SQLite's write lock
    at its begin: a transaction that only finds out later that it must wait would fail instead. A database that
    does not answer, or whose user may not do what is asked, raises a ``Refusal`` with 503, a URL that is none
    ``UsageFault``.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        parts = _parts(url)
        self.embedded = parts.drivername == "sqlite"
        self.file = Path(parts.database) if self.embedded and parts.database else None
        self.engine = _engine(parts, embedded=self.embedded)
        self._read = sessionmaker(self.engine, expire_on_commit=False)
        writing = self.engine.execution_options(begin="BEGIN IMMEDIATE") if self.embedded else self.engine
        self._write = sessionmaker(writing, expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment; nothing of it is kept."""
        with explained(), self._read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are kept when the block ends well, all of them or none."""
        with explained(), self._write.begin() as session:
            yield session

    def check_rights(self, tables: Iterable[Table]) -> None:
        """Raise a ``Refusal`` unless the user may read these tables and add to them; nothing is added."""
        with explained(), self.engine.connect() as connection:
            for table in tables:
                none = select(table).where(false())
                connection.execute(table.insert().from_select(list(table.columns), none))
            connection.rollback()

    def close(self) -> None:
        """Hang up."""
        self.engine.dispose()


_KINDS = ("sqlite", "postgresql+psycopg")


def _parts(url: str) -> URL:
    remedy = "write postgresql+psycopg://USER@HOST/NAME, or leave --database out for SQLite in the folder"
    try:
        parts = make_url(url)
    except (ArgumentError, ValueError):
        raise UsageFault("this is no database URL", where="--database", remedy=remedy) from None
    if parts.drivername not in _KINDS:
        message = f"a registry is kept in {' or '.join(_KINDS)}, not in {parts.drivername}"
        raise UsageFault(message, where=parts.render_as_string(hide_password=True), remedy=remedy)
    return parts


@contextmanager
def explained() -> Iterator[None]:
    """Raise a ``Refusal`` with 503 for a database that does not answer, or not to this user (type ``RIGHTS``)."""
    try:
        yield
    except (OperationalError, PoolTimeout) as reason:
        raise unavailable("the registry's database does not answer; nothing was changed, call again") from reason
    except DBAPIError as reason:
        if getattr(reason.orig, "sqlstate", None) in _REFUSING:
            _LOG.warning("the database's user lacks a right: %s", str(reason.orig).partition("\n")[0])
            message = "the registry lacks a right in its database; nothing was changed, its operator must grant it"
            raise Refusal(503, RIGHTS, message) from reason
        if not reason.connection_invalidated:
            raise
        raise unavailable("the registry's database hung up; nothing was changed, call again") from reason


def _engine(url: URL, *, embedded: bool) -> Engine:
    if not embedded:
        patient = url if "connect_timeout" in url.query else url.update_query_dict(_CONNECTING)
        return create_engine(patient, pool_size=12, max_overflow=8, pool_timeout=_WAIT_SECONDS, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": _WAIT_SECONDS, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # The driver would begin transactions by itself, late and never around SELECT: we say when.
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))
