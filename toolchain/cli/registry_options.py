"""What the commands of ``mixpeek registry`` share: where a registry keeps its things."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from toolchain.core.errors import MixpeekError, UsageFault

if TYPE_CHECKING:
    from registry.database import Database


class DatabaseUnavailable(MixpeekError):
    """The registry's database does not answer."""

    id = "database-unavailable"


Function = TypeVar("Function", bound=Callable[..., Any])

_DATA = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("registry-data"),
    envvar="MIXPEEK_REGISTRY_DATA",
    help="Folder for everything the registry keeps [default: registry-data].",
)
_DATABASE = click.option(
    "--database",
    metavar="URL",
    envvar="MIXPEEK_REGISTRY_DATABASE",
    help="postgresql+psycopg://… [default: SQLite in the folder; env: MIXPEEK_REGISTRY_DATABASE].",
)


def place_options(function: Function) -> Function:
    """Add ``--data`` and ``--database``."""
    return _DATA(_DATABASE(function))


def require_extra() -> None:
    """Raise ``UsageFault`` unless what a registry needs is installed."""
    if any(importlib.util.find_spec(name) is None for name in ("alembic", "fastapi", "sqlalchemy", "uvicorn")):
        raise UsageFault(
            "the registry is not installed", where="mixpeek registry", remedy="pip install 'mixpeek[registry]'"
        )


@contextmanager
def opened_database(data: Path, database: str | None) -> Iterator[Database]:
    """A context with the registry's database, migrated."""
    require_extra()
    from registry.database import Database, migrate
    from registry.errors import Refusal
    from registry.settings import RegistrySettings

    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    opened = Database(RegistrySettings(data, "", database).database)
    try:
        migrate(opened)
        yield opened
    except Refusal as refusal:
        remedy = "start the database, or correct --database; nothing was changed"
        raise DatabaseUnavailable(refusal.message, where="the registry's database", remedy=remedy) from None
    finally:
        opened.close()
