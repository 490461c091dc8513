"""What an engine applied is held against what was asked, field by field."""

import copy

import pytest

from sandbox.confinement import describe, disagreements
from sandbox.launch import Dialect, container_request
from sandbox.policy import Policy


@pytest.fixture
def request_and_details():
    request = container_request(Policy(), image="i", command=["c"], labels={}, dialect=Dialect("{}"))
    details = {"HostConfig": copy.deepcopy(request["HostConfig"]), "Config": {"User": request["User"]}}
    return request, details


def test_an_engine_that_applied_everything(request_and_details):
    assert disagreements(*request_and_details) == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("NetworkMode", "bridge"),
        ("ReadonlyRootfs", False),
        ("Privileged", True),
        ("Memory", 0),
        ("MemorySwap", -1),
        ("NanoCpus", 0),
        ("PidsLimit", None),
        ("SecurityOpt", ["no-new-privileges", "seccomp=unconfined"]),
        ("SecurityOpt", ["seccomp={}"]),
        ("CapDrop", []),
        ("CapDrop", ["NET_RAW"]),
        ("CapAdd", ["SYS_ADMIN"]),
        ("Tmpfs", {}),
        ("Tmpfs", {"/tmp": "rw,size=1", "/run": "rw,nosuid"}),
        ("Binds", ["/:/host"]),
    ],
)
def test_every_difference_is_seen(request_and_details, field, value):
    request, details = request_and_details
    details["HostConfig"][field] = value
    assert disagreements(request, details) != []


def test_another_user_is_seen(request_and_details):
    request, details = request_and_details
    details["Config"]["User"] = "root"
    assert disagreements(request, details) == ["User"]


def test_podman_spells_the_dropped_capabilities_out(request_and_details):
    request, details = request_and_details
    names = (
        "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP"
    )
    details["HostConfig"]["CapDrop"] = [f"CAP_{name}" for name in [*names.split(), "SETUID", "SYS_CHROOT"]]
    assert disagreements(request, details) == []
    assert describe(details, Policy())["capabilities_dropped"] == ["ALL"]
