"""Brings a database to the schema of this release."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from registry.database.connection import Database, explained


def migrate(database: Database) -> tuple[str | None, str]:
    """Apply what is missing; the revisions before and after. Each revision is applied whole or not at all.

    Raises a ``Refusal`` with 503 for a database that does not answer.
    """
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    newest = ScriptDirectory.from_config(config).get_current_head()
    assert newest is not None
    with explained(), database.engine.connect() as connection:
        before = MigrationContext.configure(connection).get_current_revision()
        connection.rollback()
        if before != newest:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            connection.commit()
    return before, newest


def is_migrated(database: Database) -> bool:
    """Whether a registry is kept in this database; nothing is made. Raises a ``Refusal`` with 503."""
    if database.file is not None and not database.file.exists():
        return False
    with explained(), database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() is not None
