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


class DatabaseRefused(UsageFault):
    """The registry's database answers, but its user may not do what a registry does."""

    id = "database-refused"


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
def opened_database(data: Path, database: str | None, *, make: bool = False) -> Iterator[Database]:
    """A context with the registry's database, migrated; ``make`` begins a registry where there is none.

    Raises ``UsageFault`` for a folder or URL that cannot be one or, without ``make``, holds no registry, and
    ``DatabaseUnavailable``.
    """
    require_extra()
    from registry.database import Database, is_migrated, migrate
    from registry.settings import RegistrySettings, make_folder

    if make:
        make_folder(data)
    opened = Database(RegistrySettings(data, "", database).database)
    with database_explained():
        try:
            if not make and not is_migrated(opened):
                remedy = "correct --data or --database; `mixpeek registry key create` and `serve` begin a registry"
                raise UsageFault(
                    "there is no registry", where="--database" if database else str(data), remedy=remedy
                )
            migrate(opened)
            yield opened
        finally:
            opened.close()


@contextmanager
def database_explained() -> Iterator[None]:
    """Raise ``DatabaseUnavailable`` for a database that does not answer, ``DatabaseRefused`` for a right that its
    user lacks; both with the driver's first line."""
    from registry.database import RIGHTS
    from registry.errors import Refusal

    try:
        yield
    except Refusal as refusal:
        driver = getattr(refusal.__cause__, "orig", None)
        told = next(iter(str(driver).strip().splitlines()), "") if driver is not None else ""
        where = "the registry's database"
        if refusal.type == RIGHTS:
            raise DatabaseRefused(f"its user lacks a right: {told}", where=where, remedy=_GRANT) from None
        message = f"the database does not answer: {told}" if told else refusal.message
        remedy = "start the database, or correct --database; nothing was changed"
        raise DatabaseUnavailable(message, where=where, remedy=remedy) from None


_GRANT = (
    "name the user who owns the registry's tables with --database, or let this one make, read and write tables "
    "there; nothing was changed"
)
