"""One database, two ways to use it: reading, and writing in one transaction that happens whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from registry.errors import unavailable

_WAIT_SECONDS = 10


class Database:
    """A pool of connections to SQLite or PostgreSQL.

    ``read`` and ``write`` are contexts with a session. ``write`` commits on leaving and takes SQLite's write lock
    at its begin: a transaction that only finds out later that it must wait would fail instead. A database that
    does not answer raises a ``Refusal`` with 503.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.embedded = url.startswith("sqlite")
        self.engine = _engine(url, embedded=self.embedded)
        self._read = sessionmaker(self.engine, expire_on_commit=False)
        writing = self.engine.execution_options(begin="BEGIN IMMEDIATE") if self.embedded else self.engine
        self._write = sessionmaker(writing, expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session that sees one moment; nothing of it is kept."""
        with _explained(), self._read() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session whose changes are kept when the block ends well, all of them or none."""
        with _explained(), self._write.begin() as session:
            yield session

    def close(self) -> None:
        """Hang up."""
        self.engine.dispose()


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (OperationalError, PoolTimeout) as reason:
        raise unavailable("the registry's database does not answer; nothing was changed, call again") from reason
    except DBAPIError as reason:
        if not reason.connection_invalidated:
            raise
        raise unavailable("the registry's database hung up; nothing was changed, call again") from reason


def _engine(url: str, *, embedded: bool) -> Engine:
    if not embedded:
        return create_engine(url, pool_size=12, max_overflow=8, pool_timeout=_WAIT_SECONDS, pool_pre_ping=True)
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
