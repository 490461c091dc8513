"""A policy as the engine's arguments, pinned byte for byte."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import pytest

from sandbox import launch
from sandbox.launch import Dialect, container_request
from sandbox.policy import LEVELS, Policy

GOLDEN = Path(__file__).parent / "golden"


def request(policy: Policy, dialect: Dialect | None = None) -> dict:
    return container_request(
        policy,
        image="sha256:image",
        command=("python", "guest"),
        labels={"owner": "me"},
        dialect=dialect or Dialect("PROFILE"),
    )


DIALECTS = {
    "docker": Dialect("PROFILE"),
    "podman": Dialect("/path/profile.json", scratch_inodes=False, own_mounts=("/run", "/var/tmp"), devices="cdi"),
}


@pytest.mark.parametrize("engine", DIALECTS)
@pytest.mark.parametrize("level", LEVELS)
def test_every_level_on_every_engine(level, engine):
    """A change here is a change of what plugins may do: read it so; running this file writes the new ones."""
    golden = json.loads((GOLDEN / f"{level}-{engine}.json").read_text())
    assert request(LEVELS[level], DIALECTS[engine]) == golden


def test_a_level_is_named_as_it_is_found():
    assert {name: policy.level for name, policy in LEVELS.items()} == {name: name for name in LEVELS}
    assert set(LEVELS) == {"default", "strict", "gvisor", "gpu"}


def test_strict_is_the_default_with_less():
    default, strict = request(LEVELS["default"]), request(LEVELS["strict"])
    assert {key for key in default["HostConfig"] if default["HostConfig"][key] != strict["HostConfig"][key]} == {
        "PidsLimit"
    }
    assert strict["HostConfig"]["PidsLimit"] < default["HostConfig"]["PidsLimit"]
    assert [LEVELS[level].inner.run_programs for level in ("default", "strict")] == [True, False]


def test_what_strict_forbids_does_not_hang_on_reports():
    silent = replace(LEVELS["strict"], watch="nothing")
    assert silent.inner is not None
    assert not silent.inner.run_programs


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
    other = {str: "cpu2", int: 1, float: 0.25, type(None): "runsc", tuple: ("0",), bool: False}
    for field in fields(Policy):
        value = getattr(plain, field.name)
        if field.name != "seccomp":  # a profile that does not exist is refused
            assert replace(plain, **{field.name: other[type(value)]}).digest != plain.digest, field.name


def test_what_the_engine_is_asked_enters_the_digest(monkeypatch):
    """The policy's fields are not all of it: a mount option that launch adds is policy too."""
    before = Policy().digest
    monkeypatch.setattr(launch, "_HIDDEN_PATHS", launch._HIDDEN_PATHS[:-1])
    assert Policy().digest != before


if __name__ == "__main__":
    for level, policy in LEVELS.items():
        for engine, dialect in DIALECTS.items():
            text = json.dumps(request(policy, dialect), indent=2) + "\n"
            (GOLDEN / f"{level}-{engine}.json").write_text(text)
