"""``mixpeek plugin list``, ``show`` and ``delete`` against a server on this machine: what they say."""

from __future__ import annotations

import json
from io import StringIO

import pytest

from tests.support.platforms import KEY, NAMESPACE, platform_server
from toolchain.cli.main import run


@pytest.fixture
def server(monkeypatch):
    with platform_server() as running:
        settings = {"BASE_URL": running.url, "API_KEY": KEY, "NAMESPACE": NAMESPACE}
        for name, value in settings.items():
            monkeypatch.setenv(f"MIXPEEK_{name}", value)
        yield running


def put(server, **fields):
    server.plugins["one_1_0_0"] = {"plugin_id": "one_1_0_0", "name": "one", "version": "1.0.0", **fields}


QUEUED = {"deployment_status": "QUEUED", "review_status": "pending", "validation_status": "passed"}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({**QUEUED, "awaits_approval": True}, "awaiting approval"),
        ({**QUEUED, "awaits_approval": False}, "queued"),
        (QUEUED, "queued"),
        ({"deployed": True, "validation_status": "passed"}, "deployed"),
        ({"deployed": False, "validation_status": "PASSED"}, "passed"),
    ],
)
def test_the_state_has_a_word_of_its_own(server, capsys, fields, word):
    put(server, **fields)
    assert run(["plugin", "list", "--source", "custom"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "one_1_0_0" in line)
    assert [cell.strip() for cell in row.split("  ") if cell.strip()][3] == word
    assert run(["plugin", "show", "one_1_0_0"]) == 0
    shown = capsys.readouterr().out
    assert ("deployment  " in shown, f" {word}\n" in shown) == ("deployment_status" in fields, word != "deployed")


def test_a_program_reads_the_servers_own_state(server, capsys):
    put(server, **QUEUED, awaits_approval=True)
    assert run(["plugin", "list", "--source", "custom", "--json"]) == 0
    (plugin,) = json.loads(capsys.readouterr().out)["data"]["plugins"]
    assert (plugin["deployment_status"], plugin["awaits_approval"]) == ("queued", True)


def test_the_question_before_a_deletion_shows_what_is_not_seen(server, monkeypatch, capsys):
    class Terminal(StringIO):
        def isatty(self):
            return True

    put(server)
    server.plugins["one_1_0_0"]["name"] = "one\u202e\u3164"
    monkeypatch.setattr("sys.stdin", Terminal("n\n"))
    assert run(["plugin", "delete", "one_1_0_0"]) == 2
    asked = "".join(capsys.readouterr())
    assert "Delete one<U+202E><U+3164> 1.0.0 from" in asked
    assert "\u202e" not in asked
    assert "one_1_0_0" in server.plugins
