"""The registry's memory: models, the connection, the migrations."""

from registry.database.connection import Database
from registry.database.migrate import is_migrated, migrate

__all__ = ["Database", "is_migrated", "migrate"]
