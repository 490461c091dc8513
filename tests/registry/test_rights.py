"""A database user who may not do what a registry does: told as such, at the start and under way."""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import uuid4

import pytest

from registry.database import Database, migrate
from tests.support.peers import free_port
from tests.support.registries import Backend, fresh_server
from toolchain.cli.main import run

COMMANDS = [
    ("migrate",),
    ("serve",),
    ("key", "create", "ci", "--role", "admin", "-n", "*"),
    ("log",),
]


@pytest.fixture
def stranger(cluster):
    """A role without any rights, and a fresh database's URL for it and for its owner."""
    role, name = f"stranger_{uuid4().hex[:8]}", f"rights_{uuid4().hex[:8]}"
    cluster.psql(f"CREATE ROLE {role} LOGIN")
    owner = cluster.create(name)
    return role, owner.replace("registry@", f"{role}@"), owner


def grant(owner, *statements):
    database = Database(owner)
    with database.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    database.close()


def migrated(owner):
    database = Database(owner)
    migrate(database)
    database.close()


def told(capsys, tmp_path, url, *words):
    capsys.readouterr()
    port = ["--port", str(free_port())] if words[0] == "serve" else []
    code = run(["registry", *words, *port, "--data", str(tmp_path / "data"), "--database", url, "--json"])
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    return code, json.loads(out)["error"]


@pytest.mark.parametrize("words", COMMANDS[:3], ids=lambda words: words[0])
def test_a_user_who_may_make_no_tables_is_named_as_the_reason(capsys, tmp_path, stranger, words):
    code, error = told(capsys, tmp_path, stranger[1], *words)
    assert (code, error["id"], error["where"]) == (2, "database-refused", "the registry's database")
    assert "permission denied for schema public" in error["message"]
    assert "--database" in error["remedy"]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_a_user_without_rights_in_a_registry_is_told_so(capsys, tmp_path, stranger, words):
    migrated(stranger[2])
    code, error = told(capsys, tmp_path, stranger[1], *words)
    assert (code, error["id"]) == (2, "database-refused")
    assert "permission denied for table" in error["message"]


def test_a_user_who_may_only_read_can_read_but_not_serve(capsys, tmp_path, stranger):
    role, url, owner = stranger
    migrated(owner)
    grant(owner, f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    assert told(capsys, tmp_path, url, "log") == (0, None)
    code, error = told(capsys, tmp_path, url, "serve")
    assert (code, error["id"]) == (2, "database-refused")


def test_a_right_that_is_taken_under_way_is_no_fault_of_the_registry(tmp_path, stranger, archive):
    role, url, owner = stranger
    migrated(owner)
    grant(owner, f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    with fresh_server(replace(Backend("rights"), database_url=url), tmp_path / "data") as server:
        publisher = server.publisher()
        grant(owner, f"REVOKE INSERT ON uploads FROM {role}")
        answer = publisher.begin(archive)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "database_rights")
        assert "uploads" not in answer.text
        grant(owner, f"GRANT INSERT ON uploads TO {role}")
        assert publisher.publish(archive)["validation_status"] == "passed"
