"""Which server works on what: at most one at a time, and none for ever."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from registry.database.connection import Database
from registry.errors import unavailable


class WorkClaims:
    """Locks by name that end with whoever holds them: nothing has to time out after a crash.

    PostgreSQL's advisory locks end with their connection. The embedded database belongs to one server, so there
    a set in memory will do. Should a claim be lost under way, the change of state still happens once, see
    ``Worker``.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._held: set[str] = set()

    def held(self, name: str) -> bool:
        """Whether this server is at it."""
        return name in self._held

    @contextmanager
    def claim(self, name: str) -> Iterator[bool]:
        """A context with whether the work is ours now."""
        with self._lock:
            ours = name not in self._held
            self._held |= {name}
        if not ours:
            yield False
            return
        try:
            if self._database.embedded:
                yield True
            else:
                yield from self._advisory(name)
        finally:
            with self._lock:
                self._held.discard(name)

    def _advisory(self, name: str) -> Iterator[bool]:
        number = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        try:
            connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            ours = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), {"number": number}))
        except SQLAlchemyError as reason:
            raise unavailable("the registry's database does not answer") from reason
        try:
            yield ours
        finally:
            with suppress(SQLAlchemyError):
                if ours:
                    connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": number})
            with suppress(SQLAlchemyError):
                connection.close()
