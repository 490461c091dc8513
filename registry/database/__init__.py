"""The registry's memory: models, the connection, the migrations."""

from registry.database.connection import RIGHTS, Database
from registry.database.migrate import is_migrated, migrate

__all__ = ["RIGHTS", "Database", "is_migrated", "migrate"]
