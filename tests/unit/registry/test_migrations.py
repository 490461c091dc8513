"""The migrations make exactly the tables that the models describe."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from registry.database import Database, migrate
from registry.database.models import Base


def test_migrations_and_models_agree(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/r.sqlite")
    assert migrate(database)[0] is None
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        connection.rollback()
    before, after = migrate(database)
    assert before == after
    database.close()
