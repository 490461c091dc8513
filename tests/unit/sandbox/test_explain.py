"""Nothing is granted without its reason, at any level, on any engine."""

from __future__ import annotations

import json

import pytest

from sandbox.explain import explain
from sandbox.launch import Dialect, container_request
from sandbox.policy import LEVELS
from sandbox.seccomp.profile import PROFILES
from tests.support.verdicts import parse_envelope
from toolchain.cli import main as cli

PODMAN = Dialect("/path", scratch_inodes=False, own_mounts=("/run", "/var/tmp"), devices="cdi")
# Neither grants nor bounds anything: the image, its command, the labels by which it is found again.
NOT_POLICY = {"Image", "Cmd", "Labels", "HostConfig", "Env", "Tmpfs", "Ulimits"}


@pytest.mark.parametrize("dialect", [None, PODMAN], ids=["docker", "podman"])
@pytest.mark.parametrize("level", LEVELS)
def test_every_argument_of_the_engine_is_there(level, dialect):
    told = {one.name: one for one in explain(LEVELS[level], dialect)}
    words = dialect or Dialect("x")
    request = container_request(LEVELS[level], image="", command=(), labels={}, dialect=words)
    host = request["HostConfig"]
    names = {*request, *host, *host["Tmpfs"], *(limit["Name"] for limit in host["Ulimits"])}
    assert names - NOT_POLICY <= told.keys()
    assert {entry.partition("=")[0] for entry in request["Env"]} <= told.keys()
    assert all(one.reason for one in told.values())


@pytest.mark.parametrize("level", LEVELS)
def test_every_system_call_is_there(level):
    policy = LEVELS[level]
    told = {call for one in explain(policy) if one.kind.startswith("system call") for call in one.name.split()}
    told |= {call for one in explain(policy) if one.kind == "system calls" for call in one.value.split()}
    assert told >= set(PROFILES[policy.seccomp].names)


def test_an_argument_without_a_reason_is_a_fault_of_ours(monkeypatch):
    monkeypatch.setattr("sandbox.explain._HOST", {})
    with pytest.raises(KeyError):
        explain(LEVELS["default"])


def test_the_levels_have_digests_of_their_own():
    assert len({policy.digest for policy in LEVELS.values()}) == len(LEVELS)


@pytest.mark.parametrize("level", LEVELS)
def test_the_command_prints_what_is_recorded(level, capsys):
    assert cli.run(["sandbox", "policy", "--level", level, "--json"]) == 0
    data = parse_envelope(capsys.readouterr().out).envelope["data"]
    assert data["digest"] == LEVELS[level].digest
    assert data["policy"] == json.loads(json.dumps(LEVELS[level].to_json()))
    assert len(data["system_calls"]) <= 150
    assert {"syscall", "why"}.isdisjoint(data)


def test_reasons_are_given_when_asked_for(capsys):
    assert cli.run(["sandbox", "policy"]) == 0
    short = capsys.readouterr().out
    assert cli.run(["sandbox", "policy", "--explain"]) == 0
    long = capsys.readouterr().out
    assert "why:" not in short
    assert long.count("why:") == len(explain(LEVELS["default"]))
    assert LEVELS["default"].digest in short


def test_an_unknown_level_is_wrong_usage(capsys):
    assert cli.run(["sandbox", "policy", "--level", "lenient"]) == 2


def test_a_level_without_the_sandbox_is_wrong_usage(capsys, tmp_path):
    assert cli.run(["plugin", "test", "--path", str(tmp_path), "--level", "strict"]) == 2
    assert "--sandbox" in capsys.readouterr().err
