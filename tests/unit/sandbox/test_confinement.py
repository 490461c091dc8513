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
        ("Tmpfs", {"/tmp": "rw,noexec,nosuid,nodev,mode=1777,size=536870912"}),
        ("Tmpfs", {"/tmp": "rw,noexec,nosuid,nodev,mode=1777,size=536870912,nr_inodes=0"}),
        ("IpcMode", "host"),
        ("IpcMode", None),
        ("Ulimits", None),
        ("Ulimits", [{"Name": "nofile", "Soft": 1024, "Hard": 1024}]),
        ("Ulimits", [{"Name": name, "Soft": -1, "Hard": -1} for name in ("nofile", "nproc", "core")]),
        ("Binds", ["/:/host"]),
    ],
)
def test_every_difference_is_seen(request_and_details, field, value):
    request, details = request_and_details
    details["HostConfig"][field] = value
    assert disagreements(request, details) != []


MOUNT = {"Type": "bind", "Source": "/private/exchange", "Target": "/opt/mixpeek/exchange", "ReadOnly": True}
APPLIED = {"Type": "bind", "Source": "/private/exchange", "Destination": "/opt/mixpeek/exchange", "RW": False}


class TestMounts:
    @pytest.fixture
    def with_mount(self, request_and_details):
        request, details = request_and_details
        for place in (request, details):
            place["HostConfig"]["Mounts"] = [MOUNT]
        details["Mounts"] = [dict(APPLIED)]
        return request, details

    def test_exactly_the_one_that_was_asked_for(self, with_mount):
        assert disagreements(*with_mount) == []

    def test_podman_tells_it_as_a_bind_too(self, with_mount):
        request, details = with_mount
        del details["HostConfig"]["Mounts"]
        details["HostConfig"]["Binds"] = ["/private/exchange:/opt/mixpeek/exchange:ro,rprivate,rbind"]
        details["Mounts"].append({"Type": "tmpfs", "Source": "tmpfs", "Destination": "/tmp", "RW": True})
        assert disagreements(request, details) == []

    @pytest.mark.parametrize(
        "change",
        [{"RW": True}, {"Source": "/private"}, {"Destination": "/"}, {"Type": "volume"}],
        ids=["writable", "another folder", "another place", "another kind"],
    )
    def test_another(self, with_mount, change):
        request, details = with_mount
        details["Mounts"] = [{**APPLIED, **change}]
        assert "Mounts" in disagreements(request, details)

    @pytest.mark.parametrize("held", [[], [APPLIED, {**APPLIED, "Source": "/", "Destination": "/host"}]])
    def test_none_and_more(self, with_mount, held):
        request, details = with_mount
        details["Mounts"] = held
        assert disagreements(request, details) == ["Mounts"]

    def test_one_that_nobody_asked_for(self, request_and_details):
        request, details = request_and_details
        details["Mounts"] = [APPLIED]
        assert disagreements(request, details) == ["Mounts"]


def test_another_user_is_seen(request_and_details):
    request, details = request_and_details
    details["Config"]["User"] = "root"
    assert disagreements(request, details) == ["User"]


def test_one_more_folder_in_memory_is_seen(request_and_details):
    request, details = request_and_details
    details["HostConfig"]["Tmpfs"]["/run"] = "rw,noexec,nosuid,nodev,size=65536"
    assert disagreements(request, details) == ["Tmpfs /run"]


def test_a_limit_that_the_engine_sets_by_default_is_no_disagreement(request_and_details):
    request, details = request_and_details
    details["HostConfig"]["Ulimits"].append({"Name": "stack", "Soft": 8 << 20, "Hard": 16 << 20})
    assert disagreements(request, details) == []


def test_podman_says_it_in_words_of_its_own(request_and_details):
    request, details = request_and_details
    host = details["HostConfig"]
    host["IpcMode"] = "shareable"
    host["Ulimits"] = [{**limit, "Name": f"RLIMIT_{limit['Name'].upper()}"} for limit in host["Ulimits"]]
    host["Tmpfs"] = {place: f"{options},rprivate,tmpcopyup" for place, options in host["Tmpfs"].items()}
    assert disagreements(request, details) == []


def test_podman_spells_the_dropped_capabilities_out(request_and_details):
    request, details = request_and_details
    names = (
        "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP"
    )
    details["HostConfig"]["CapDrop"] = [f"CAP_{name}" for name in [*names.split(), "SETUID", "SYS_CHROOT"]]
    assert disagreements(request, details) == []
    assert describe(details, Policy())["capabilities_dropped"] == ["ALL"]
