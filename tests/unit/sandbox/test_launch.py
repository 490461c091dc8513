"""A policy as the engine's arguments, pinned byte for byte."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from sandbox.launch import Dialect, container_request
from sandbox.policy import Policy

GOLDEN = Path(__file__).parent / "golden"


def request(policy: Policy, dialect: Dialect | None = None) -> dict:
    return container_request(
        policy,
        image="sha256:image",
        command=("python", "guest"),
        labels={"owner": "me"},
        dialect=dialect or Dialect("PROFILE"),
    )


@pytest.mark.parametrize(
    ("name", "dialect"),
    [("docker", Dialect("PROFILE")), ("podman", Dialect("/path/profile.json", scratch_inodes=False))],
)
def test_the_default_policy(name, dialect):
    """A change here is a change of what plugins may do: read it as such, then write the new file."""
    golden = json.loads((GOLDEN / f"request-{name}.json").read_text())
    assert request(Policy(), dialect) == golden


def test_nothing_of_this_machine_gets_in(monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "hunter2")
    assert "hunter2" not in json.dumps(request(Policy()))


def test_the_host_grants_nothing_that_the_policy_does_not_name():
    host = request(Policy())["HostConfig"]
    assert not {"Binds", "Mounts", "CapAdd", "Devices", "PidMode", "UsernsMode", "VolumesFrom"} & set(host)
    assert host["CapDrop"] == ["ALL"]
    assert host["Privileged"] is False
    assert host["MemorySwap"] == host["Memory"]


@pytest.mark.parametrize(
    ("change", "key", "value"),
    [
        ({"memory": 1 << 28}, "Memory", 1 << 28),
        ({"processes": 7}, "PidsLimit", 7),
        ({"cpus": 0.5}, "NanoCpus", 500_000_000),
        ({"runtime": "runsc"}, "Runtime", "runsc"),
        ({"shared_memory": 5}, "ShmSize", 5),
        ({"network": "bridge"}, "NetworkMode", "bridge"),
    ],
)
def test_a_limit_reaches_the_engine(change, key, value):
    assert request(replace(Policy(), **change))["HostConfig"][key] == value


def test_every_field_enters_the_digest():
    """Two policies that differ anywhere must not share a digest: a record would name the wrong one."""
    plain = Policy()
    other = {str: "cpu2", int: 1, float: 0.25, type(None): "runsc", tuple: ("0",)}
    for field in fields(Policy):
        value = getattr(plain, field.name)
        if field.name != "seccomp":  # a profile that does not exist is refused
            assert replace(plain, **{field.name: other[type(value)]}).digest != plain.digest, field.name
