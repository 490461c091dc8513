"""``mixpeek registry …`` over folders and databases that are none, and what reading commands leave alone."""

from __future__ import annotations

import json

import pytest

from registry.database import Database
from registry.log import Event, append
from toolchain.cli.main import run


def told(capsys, *arguments):
    """The exit code and the one JSON document."""
    capsys.readouterr()
    code = run([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    "words", [("log",), ("key", "list"), ("key", "revoke", "key_x"), ("quota", "ns_a", "3")], ids=" ".join
)
def test_reading_makes_no_registry(capsys, tmp_path, words):
    folder = tmp_path / "none"
    code, envelope = told(capsys, "registry", *words, "--data", str(folder))
    assert (code, envelope["error"]["message"]) == (2, "there is no registry")
    assert envelope["command"] == " ".join(("registry", *words[: 1 if words[0] != "key" else 2]))
    assert not folder.exists()


def test_reading_makes_no_registry_in_an_empty_database(capsys, tmp_path):
    (tmp_path / "empty.sqlite").touch()
    code, envelope = told(capsys, "registry", "log", "--database", f"sqlite:///{tmp_path}/empty.sqlite")
    assert (code, envelope["error"]["message"]) == (2, "there is no registry")


@pytest.mark.parametrize("command", [("log",), ("migrate",), ("serve",), ("key", "list")], ids=" ".join)
@pytest.mark.parametrize("url", ["foo", "mysql://root:secret@localhost/x", "postgresql://localhost/x"])
def test_a_database_url_that_is_none_is_wrong_usage(capsys, tmp_path, command, url):
    code, envelope = told(capsys, "registry", *command, "--data", str(tmp_path), "--database", url)
    assert (code, envelope["error"]["id"]) == (2, "usage")
    assert "postgresql+psycopg://" in envelope["error"]["remedy"]
    assert "secret" not in json.dumps(envelope)


@pytest.mark.parametrize("command", [("log",), ("migrate",), ("serve",), ("key", "list")], ids=" ".join)
def test_a_database_that_is_away_is_no_fault_of_ours(capsys, tmp_path, command):
    url = "postgresql+psycopg://somebody@127.0.0.1:1/x"
    code, envelope = told(capsys, "registry", *command, "--data", str(tmp_path), "--database", url)
    assert (code, envelope["error"]["id"]) == (3, "database-unavailable")
    assert "does not answer" in envelope["error"]["message"]


@pytest.mark.parametrize(
    "words",
    [("migrate",), ("serve",), ("key", "create", "ci", "--role", "admin", "-n", "*")],
    ids=lambda words: words[0],
)
def test_a_data_folder_that_cannot_be_is_wrong_usage(capsys, tmp_path, words):
    (tmp_path / "file").touch()
    code, envelope = told(capsys, "registry", *words, "--data", str(tmp_path / "file" / "data"))
    assert (code, envelope["error"]["id"]) == (2, "usage")
    assert "--data" in envelope["error"]["remedy"]


@pytest.mark.parametrize("folder", ["", "none"])
def test_a_server_that_would_trust_nobody_does_not_start(capsys, tmp_path, folder):
    keys = str(tmp_path / folder)
    code, envelope = told(capsys, "registry", "serve", "--data", str(tmp_path / "data"), "--trusted-keys", keys)
    assert (code, envelope["error"]["id"], envelope["error"]["where"]) == (2, "usage", keys)


def test_a_key_is_shown_once_with_its_id_beside_it_and_the_log_says_who_and_why(capsys, tmp_path):
    place = ("--data", str(tmp_path))
    assert run(["registry", "key", "create", "Ada", "--role", "reviewer", "-n", "*", *place]) == 0
    made = capsys.readouterr()
    key_id = made.err.partition(":")[0]
    assert (made.out.startswith("sk_"), len(made.out.split())) == (True, 1)
    assert made.err == f"{key_id}: reviewer in *; the key is shown this once:\n"
    database = Database(f"sqlite:///{tmp_path}/registry.sqlite")
    with database.write() as session:
        decided = {"verdict": "rejected", "reason": "it calls\nhome", "by": key_id}
        append(session, Event("release.decided", "ns_a", "x_1_0_0", decided))
    database.close()
    assert run(["registry", "log", *place]) == 0
    assert f"x_1_0_0  rejected  by {key_id} (Ada)  it calls home\n" in capsys.readouterr().out
