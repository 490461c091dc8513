"""The log's chain shows every change, and the database refuses the plain ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from registry.database import Database, migrate
from registry.log import Event, append, newest, verify_log


@pytest.fixture
def database(tmp_path: Path):
    opened = Database(f"sqlite:///{tmp_path}/r.sqlite")
    migrate(opened)
    with opened.write() as session:
        for number in range(5):
            append(session, Event("release.published", "ns", f"x_1_0_{number}", {"number": number}))
    yield opened
    opened.close()


def broken(database):
    with database.read() as session:
        return verify_log(session)


def behind_its_back(database, *statements):
    """What somebody with the database's file can do."""
    with database.engine.connect() as connection:
        for name in ("log_kept_update", "log_kept_delete"):
            connection.execute(text(f"DROP TRIGGER {name}"))
        for statement in statements:
            connection.execute(text(statement))
        connection.commit()


def test_an_untouched_log_holds(database):
    assert broken(database) is None
    with database.read() as session:
        assert [entry["number"] for entry in newest(session, 2)] == [4, 5]


@pytest.mark.parametrize("statement", ["UPDATE log SET subject = 'y' WHERE number = 3", "DELETE FROM log"])
def test_rows_are_kept_for_good(database, statement):
    with pytest.raises(IntegrityError, match="kept for good"), database.engine.begin() as connection:
        connection.execute(text(statement))
    assert broken(database) is None


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("UPDATE log SET subject = 'y' WHERE number = 3", 3),
        ("UPDATE log SET body = '{}' WHERE number = 1", 1),
        ("UPDATE log SET at = at + 1 WHERE number = 5", 5),
        ("DELETE FROM log WHERE number = 2", 2),
        ("DELETE FROM log WHERE number = 5", 5),
    ],
)
def test_changes_behind_its_back_show(database, statement, place):
    behind_its_back(database, statement)
    assert broken(database) == place


def test_an_event_is_kept_with_what_it_tells_of_or_not_at_all(database):
    with pytest.raises(ZeroDivisionError):
        _half_done(database)
    with database.read() as session:
        assert newest(session, 1)[0]["subject"] != "half"
    assert broken(database) is None


def _half_done(database):
    with database.write() as session:
        append(session, Event("release.published", "ns", "half", {}))
        raise ZeroDivisionError
