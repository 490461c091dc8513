"""The checks that read facts: engine, programs, disk, network, GPU, each with what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker.errors
import httpx
import pynvml
import pytest
import requests

from toolchain.core.containers import ContainerEngine
from toolchain.core.errors import EngineUnavailable
from toolchain.core.gpu import Device, GpuHost, Memory, Mig
from toolchain.doctor import engines, machine, network
from toolchain.doctor.gpu import describe, gpu
from toolchain.doctor.model import Check, Status, Surroundings

NOWHERE = Surroundings(environment={"PATH": ""}, cache=Path("/c"))
ENGINE = ContainerEngine(
    client=None,  # type: ignore[arg-type]
    kind="docker",
    found="default socket",
    address="unix:///s",
    version="20.10.24",
    api_version="1.41",
    architecture="amd64",
    local=True,
)
WITH_ENGINE = replace(NOWHERE, engine=ENGINE, info={"CgroupVersion": "2", "Runtimes": {"runc": {}}})


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda *_args, **_kwargs: None)


def installed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, **_: f"/bin/{name}" if name in names else None)


def status_of(checks: list[Check], name: str) -> Status:
    return next(check.status for check in checks if check.name == name)


def test_an_engine_with_its_version_and_how_it_was_found() -> None:
    (check,) = engines.engine(WITH_ENGINE)
    assert check.status is Status.OK
    assert "Docker Engine 20.10.24, API 1.41, amd64, found by: default socket" in check.detail


def test_no_engine_is_an_error_with_the_cascade_s_own_words() -> None:
    fault = EngineUnavailable("no container engine answers", remedy="install one")
    (check,) = engines.engine(replace(NOWHERE, fault=fault))
    assert (check.status, check.detail, check.remedy) == (
        Status.ERROR,
        "no container engine answers",
        "install one",
    )


def test_an_old_engine_is_an_error() -> None:
    old = replace(ENGINE, api_version="1.39", version="18.09")
    assert engines.engine(replace(WITH_ENGINE, engine=old))[0].status is Status.ERROR
    assert engines.engine(replace(WITH_ENGINE, engine=replace(ENGINE, api_version="1.100")))[0].status is Status.OK


def test_notes_of_the_cascade_and_warnings_that_matter_are_shown() -> None:
    surroundings = replace(
        WITH_ENGINE,
        engine=replace(ENGINE, notes=("cannot pull",)),
        info={"Warnings": ["WARNING: No swap limit support", "WARNING: bridge-nf-call-iptables is disabled"]},
    )
    checks = engines.engine(surroundings)[1:]
    assert [(check.name, check.status) for check in checks] == [
        ("engine-note", Status.NOTE),
        ("engine-warning", Status.WARNING),
    ]


def test_an_engine_that_lacks_a_controller_is_an_error() -> None:
    assert status_of(engines.cgroups(WITH_ENGINE), "cgroups") is Status.OK
    lacking = replace(WITH_ENGINE, info={"CgroupVersion": "1", "PidsLimit": False})
    (check,) = engines.cgroups(lacking)
    assert check.status is Status.ERROR
    assert "PidsLimit" in check.detail


@pytest.mark.parametrize(
    ("runtimes", "names", "status", "words"),
    [
        ({"runc": {}, "runsc": {}}, (), Status.OK, "registered"),
        ({"runc": {}}, ("runsc",), Status.NOTE, "not registered"),
        ({"runc": {}}, (), Status.NOTE, "not installed"),
    ],
)
def test_gvisor(
    monkeypatch: pytest.MonkeyPatch, runtimes: dict[str, Any], names: tuple[str, ...], status: Status, words: str
) -> None:
    installed(monkeypatch, *names)
    (check,) = engines.gvisor(replace(WITH_ENGINE, info={"Runtimes": runtimes}))
    assert check.status is status
    assert words in check.detail


def test_engine_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert engines.programs(NOWHERE)[0].status is Status.WARNING
    assert engines.programs(WITH_ENGINE)[0].status is Status.NOTE
    installed(monkeypatch, "dockerd", "podman")
    assert engines.programs(NOWHERE)[0].detail == "dockerd and podman installed"


@pytest.mark.parametrize(("free", "status"), [(50, Status.OK), (5, Status.WARNING), (0.5, Status.ERROR)])
def test_disk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, free: float, status: Status) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=int(free * (1 << 30))))
    checks = machine.disk(
        replace(WITH_ENGINE, cache=tmp_path / "not" / "yet", info={"DockerRootDir": "/var/lib/x"})
    )
    assert [check.name for check in checks] == ["disk-cache", "disk-images"]
    assert {check.status for check in checks} == {status}


def test_a_remote_engine_s_disk_is_not_ours() -> None:
    remote = replace(WITH_ENGINE, engine=replace(ENGINE, local=False), info={"DockerRootDir": "/var/lib/x"})
    assert [check.name for check in machine.disk(remote)] == ["disk-cache"]


def answering(monkeypatch: pytest.MonkeyPatch, handler: Callable[[httpx.Request], httpx.Response]) -> None:
    monkeypatch.setattr(httpx, "Client", partial(httpx.Client, transport=httpx.MockTransport(handler)))


@pytest.mark.parametrize(
    ("code", "status"),
    [(200, Status.OK), (405, Status.OK), (404, Status.OK), (401, Status.ERROR), (503, Status.ERROR)],
)
def test_the_package_index(monkeypatch: pytest.MonkeyPatch, code: int, status: Status) -> None:
    asked: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(code)

    answering(monkeypatch, handler)
    (check,) = network.package_index(replace(NOWHERE, index_url="https://me:secret@index.example/simple/"))
    assert check.status is status
    assert asked == ["https://me:secret@index.example/simple/pip/"]
    assert "secret" not in check.detail + check.remedy
    assert "https://***@index.example/simple" in check.detail


def test_an_index_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    def handler(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("")

    answering(monkeypatch, handler)
    (check,) = network.package_index(NOWHERE)
    assert check.status is Status.ERROR
    assert "https://pypi.org/simple is out of reach: ConnectTimeout" in check.detail


@pytest.mark.parametrize(
    ("refusal", "base", "tool", "expected"),
    [
        (None, "sha256:1", True, (Status.OK, Status.OK, Status.OK)),
        (None, None, False, (Status.UNKNOWN, Status.OK, Status.NOTE)),
        ("no host", "sha256:1", False, (Status.OK, Status.NOTE, Status.NOTE)),
        ("no host", None, True, (Status.UNKNOWN, Status.WARNING, Status.OK)),
        ("no host", None, False, (Status.UNKNOWN, Status.ERROR, Status.ERROR)),
    ],
)
def test_what_is_missing_depends_on_what_else_is_there(
    monkeypatch: pytest.MonkeyPatch,
    refusal: str | None,
    base: str | None,
    tool: bool,
    expected: tuple[Status, ...],
) -> None:
    monkeypatch.setattr(network, "registry_refusal", lambda _: refusal)
    installed(monkeypatch, *(["mmdebstrap"] if tool else []))
    checks = network.image_sources(replace(WITH_ENGINE, base_image=base))
    assert [check.name for check in checks] == ["base-image", "image-registry", "mmdebstrap"]
    assert tuple(check.status for check in checks) == expected


def test_podman_is_not_asked_for_its_registry_since_that_would_be_a_pull() -> None:
    # Whoever used the client, None here, would fail.
    podman = replace(WITH_ENGINE, engine=replace(ENGINE, kind="podman"))
    base, registry, tool = network.image_sources(podman)
    assert (base.status, registry.status, tool.status) == (Status.UNKNOWN, Status.NOTE, Status.NOTE)
    assert registry.detail.startswith("not probed")


class Registry:
    """A client that knows one call: asking the registry for a manifest."""

    def __init__(self, answer: Exception | None) -> None:
        self.api = self
        self.answer = answer
        self.closed = False

    def inspect_distribution(self, image: str) -> dict[str, str]:
        assert image == "hello-world"
        if self.answer:
            raise self.answer
        return {}

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("answer", "refusal"),
    [
        (None, None),
        (docker.errors.APIError("500", None, "dial tcp: lookup x:\n no such host"), "lookup x: no such host"),
        (requests.ReadTimeout("read timed out"), "no answer within 4 s"),
    ],
)
def test_the_registry_is_asked_over_the_engine_s_own_transport(
    answer: Exception | None, refusal: str | None
) -> None:
    limits: list[int] = []
    client = Registry(answer)

    def dial(seconds: int) -> Any:
        limits.append(seconds)
        return client

    said = network.registry_refusal(replace(ENGINE, address="ssh://far", dial=dial))
    assert said == refusal if refusal is None else said is not None and said.endswith(refusal)
    assert "engine says" not in (said or "")
    assert limits == [4]
    assert client.closed


def test_mmdebstrap_is_offered_only_where_it_exists(tmp_path: Path) -> None:
    release = tmp_path / "os-release"
    release.write_text("ID=debian\n")
    assert "apt-get install" in machine.mmdebstrap_remedy(release)
    release.write_text("ID=fedora\n")
    assert "apt-get" not in machine.mmdebstrap_remedy(release)


def raising(error: type[Exception], *arguments: object) -> Callable[[], None]:
    def call() -> None:
        raise error(*arguments)

    return call


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (pynvml.NVML_ERROR_LIBRARY_NOT_FOUND, Status.NOTE),
        (pynvml.NVML_ERROR_DRIVER_NOT_LOADED, Status.NOTE),
        (pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH, Status.WARNING),
    ],
)
def test_no_gpu_is_a_note_and_a_broken_driver_a_warning(
    monkeypatch: pytest.MonkeyPatch, code: int, status: Status
) -> None:
    monkeypatch.setattr(pynvml, "nvmlInit", raising(pynvml.NVMLError, code))
    assert [check.status for check in gpu(NOWHERE)] == [status]


L4 = Device(0, "NVIDIA L4", Memory(16 << 30, 8 << 30), (8, 9), Mig.NOT_OFFERED)


@pytest.mark.parametrize(
    ("device", "words"),
    [
        (L4, "NVIDIA L4, 8.0 of 16.0 GiB free, compute capability 8.9, MIG not offered"),
        (replace(L4, mig=Mig.OFF), "NVIDIA L4, 8.0 of 16.0 GiB free, compute capability 8.9, MIG off"),
        (
            replace(L4, mig=Mig.ON, instances=(Memory(5 << 30, 5 << 30),) * 2),
            "NVIDIA L4, 8.0 of 16.0 GiB free, compute capability 8.9, MIG on (2 instances: 5.0, 5.0 GiB)",
        ),
        (
            replace(L4, memory=None, capability=None),
            "NVIDIA L4, memory not told, compute capability not told, MIG not offered",
        ),
    ],
)
def test_a_device_is_described(device: Device, words: str) -> None:
    driver, described, support = describe(GpuHost("550.54.15", (12, 4), (device,)), WITH_ENGINE)
    assert driver.detail == "driver 550.54.15, CUDA 12.4, 1 device"
    assert described.detail == words
    assert support.status is Status.WARNING


@pytest.mark.parametrize(
    ("info", "status"),
    [
        ({"Runtimes": {"nvidia": {}}}, Status.OK),
        ({"CDISpecDirs": ["/etc/cdi"]}, Status.OK),
        ({"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]}, Status.OK),
        ({"Runtimes": {"runc": {}}}, Status.WARNING),
    ],
)
def test_whether_the_engine_hands_gpus_over(info: dict[str, Any], status: Status) -> None:
    host = GpuHost("550.54.15", (12, 4), (L4,))
    assert describe(host, replace(WITH_ENGINE, info=info))[-1].status is status


def test_a_driver_without_a_device_is_a_note() -> None:
    (check,) = describe(GpuHost("550.54.15", (12, 4), ()), WITH_ENGINE)
    assert (check.status, check.detail) == (Status.NOTE, "driver 550.54.15, CUDA 12.4, no device")
