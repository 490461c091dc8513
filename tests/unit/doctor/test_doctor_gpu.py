"""``doctor --gpu``: what is a note otherwise is missing here, and every CUDA image is compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from images.cuda import CudaNeeds, CudaVersion, compare
from sandbox.gpu.report import DriverReport, GpuReport, KernelRun
from sandbox.gpu.run import GpuRun
from toolchain.check.gpu import GpuCheck, judge
from toolchain.cli.gpu_rendering import render_comparison
from toolchain.core.containers import ContainerEngine
from toolchain.core.errors import EngineRefused, ExitCode
from toolchain.core.gpu import Absence, Device, GpuHost, Memory, Mig, NoGpuHost
from toolchain.doctor import gpu_images
from toolchain.doctor.examine import EXAMINATIONS, Diagnosis, examinations
from toolchain.doctor.gpu_images import gpu_in_detail
from toolchain.doctor.model import Check, Status, Surroundings

L4 = Device(0, "NVIDIA L4", Memory(23 << 30, 22 << 30), (8, 9), Mig.NOT_OFFERED)
HOST = GpuHost("550.54.15", (12, 4), (L4,))
REPORT = GpuReport(DriverReport(True, None, (12, 4), 1, (8, 9), KernelRun(right=True, error=None)), (), None)
NONE = NoGpuHost(Absence.NO_DRIVER, "no NVIDIA driver on this machine", "use another machine")
ENGINE = ContainerEngine(
    client=None,  # type: ignore[arg-type]
    kind="docker",
    found="test",
    address="unix:///s",
    version="28.2.2",
    api_version="1.50",
    architecture="amd64",
    local=True,
)
HERE = Surroundings(environment={}, cache=Path("/c"), engine=ENGINE, info={"Runtimes": {"nvidia": {}}})


def labelled(tag: str | None, version: str) -> dict[str, Any]:
    labels = {"com.mixpeek.cuda.version": version, "com.mixpeek.cuda.packages": "x 1"}
    return {"Id": "sha256:" + "0" * 64, "RepoTags": [tag] if tag else None, "Labels": labels}


def ran(report: GpuReport | None = REPORT) -> GpuCheck:
    return judge(GpuRun(report, None if report else "it ended with status 139", None, 1.5), None)


@pytest.fixture
def tried() -> Any:
    """Stands in for a run on a real GPU, which this suite's machines do not have."""
    return Mock(return_value=ran())


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch, tried: Any) -> Any:
    def go(host: GpuHost | NoGpuHost, *images: dict[str, Any], where: Surroundings = HERE) -> dict[str, Check]:
        monkeypatch.setattr(gpu_images, "read_gpus", lambda: host)
        monkeypatch.setattr(gpu_images, "list_images", lambda *_: list(images))
        monkeypatch.setattr(gpu_images, "check_gpu", tried)
        return {check.detail.partition(":")[0]: check for check in gpu_in_detail(where)}

    return go


def code(checks: dict[str, Check]) -> ExitCode:
    return Diagnosis(tuple(checks.values())).exit_code


@pytest.mark.parametrize("host", [NONE, replace(HOST, devices=())])
def test_no_gpu_is_not_a_pass(look: Any, host: GpuHost | NoGpuHost) -> None:
    checks = look(host)
    assert code(checks) is ExitCode.COULD_NOT_TELL
    assert all(check.remedy for check in checks.values() if check.status is Status.UNKNOWN)


def test_a_gpu_without_images_passes(look: Any) -> None:
    checks = look(HOST)
    assert code(checks) is ExitCode.PASSED
    assert checks["no image for GPUs here yet"].status is Status.NOTE


@pytest.mark.parametrize(
    ("version", "status", "words"),
    [
        ("12.4", Status.OK, "CUDA 12.4, driver ≥ 525.60.13"),
        ("12.9", Status.WARNING, "PTX of 12.9 is refused"),
        ("13.0", Status.ERROR, "this image needs driver ≥ 580.65.06 (CUDA 13.0); this host has 550.54.15"),
        ("unknown", Status.UNKNOWN, "no wheel tells which CUDA"),
        ("none", Status.OK, "no package needs CUDA"),
    ],
)
def test_every_image_is_compared(look: Any, version: str, status: Status, words: str) -> None:
    check = look(HOST, labelled("mixpeek/x", version))["mixpeek/x"]
    assert (check.name, check.status) == ("gpu-image", status)
    assert words in check.detail


def test_a_kernel_runs_in_an_image_whose_labels_promise_it(look: Any, tried: Any) -> None:
    image = labelled("mixpeek/x", "12.4")
    assert "a kernel ran in it in 1.5 s" in look(HOST, image)["mixpeek/x"].detail
    tried.assert_called_once_with(ENGINE, image["Id"])
    driver = replace(REPORT.driver, kernel=KernelRun(right=False, error=None))
    tried.return_value = ran(replace(REPORT, driver=driver))
    assert look(HOST, image)["mixpeek/x"].status is Status.ERROR
    tried.return_value = ran(None)
    assert look(HOST, image)["mixpeek/x"].status is Status.UNKNOWN
    tried.side_effect = EngineRefused("it cannot start", remedy="look")
    check = look(HOST, image)["mixpeek/x"]
    assert (check.status, check.remedy) == (Status.UNKNOWN, "look")


@pytest.mark.parametrize(("host", "version"), [(NONE, "12.4"), (HOST, "13.0"), (HOST, "none")])
def test_no_kernel_is_tried_where_it_cannot_run_or_nothing_needs_it(
    look: Any, tried: Any, host: Any, version: str
) -> None:
    look(host, labelled("mixpeek/x", version))
    tried.assert_not_called()


def test_an_image_says_what_it_needs_where_there_is_no_gpu(look: Any) -> None:
    check = look(NONE, labelled("mixpeek/x", "12.9"))["mixpeek/x"]
    assert check.status is Status.UNKNOWN
    assert "this image needs driver ≥ 525.60.13; no NVIDIA driver on this machine" in check.detail


def test_an_image_without_a_name_goes_by_its_id(look: Any) -> None:
    assert "sha256" in look(HOST, labelled(None, "12.4"))


def test_without_an_engine_only_the_gpus_are_looked_at(look: Any) -> None:
    assert len(look(HOST, labelled("mixpeek/x", "12.4"), where=replace(HERE, engine=None))) == 2


def test_the_option_replaces_one_examination() -> None:
    assert examinations() is EXAMINATIONS
    names = [one.name for one in examinations(gpu=True)]
    assert sorted(names) == sorted(one.name for one in EXAMINATIONS)


def test_the_comparison_for_people() -> None:
    needs = CudaNeeds(CudaVersion(13, 2), ("torch 2.15.0",), (7, 5))
    assert render_comparison(compare(needs, HOST)).splitlines() == [
        "image  CUDA 13.2, driver ≥ 580.65.06, all of it from driver 595.45.04 on, compute capability ≥ 7.5",
        "host   driver 550.54.15, CUDA up to 12.4, NVIDIA L4",
        "this machine is wrong for the image",
        "error: this image needs driver ≥ 580.65.06 (CUDA 13.2); this host has 550.54.15  [gpu.driver]",
        "  fix: update the host's driver, or choose packages for CUDA 12 or older",
    ]
    assert "could not tell" in render_comparison(compare(needs, NONE))
    assert render_comparison(compare(None, NONE)).splitlines()[-1] == "the image fits this machine"
