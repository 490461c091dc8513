"""Alembic's entry: runs revisions over the connection that ``registry.database.migrate`` hands in."""

from alembic import context

from registry.database.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
