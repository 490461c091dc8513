"""CUDA images with real wheels: what they say of themselves, what works in them without a GPU, and who is blamed.

On a machine with a GPU the same tests run a kernel; on one without, nothing may pass for it.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from images.build import BuildRequest, BuiltImage, build
from images.code import SourceFile
from images.cuda import Verdict, compare, cuda_needs, needs_from_labels
from images.environment import cache_directory
from images.files import Cache
from images.lock import resolve
from images.requirements import requirement_set
from sandbox.conversation import Job
from sandbox.dialect import dialect_for
from sandbox.launch import container_request
from sandbox.policy import GPU_POLICY, Policy
from sandbox.session import Session
from sandbox.stream import AttachedStream
from tests.support.plugins import make_plugin
from tests.support.verdicts import plugin_test
from toolchain.check.gpu import check_gpu
from toolchain.core.containers import ContainerEngine, connect, options_from_environment
from toolchain.core.errors import DependencyFault, ExitCode
from toolchain.core.gpu import GpuHost, read_gpus
from toolchain.core.reporter import SilentReporter

pytestmark = pytest.mark.engine

CUPY = ("cupy-cuda12x", "nvidia-cuda-runtime-cu12", "nvidia-cuda-nvrtc-cu12")
WITHOUT_DEVICES = replace(GPU_POLICY, gpus=())
MANIFEST = """
import cupy
from cupy.cuda import nvrtc
try:
    cupy.cuda.runtime.getDeviceCount()
    devices = "some"
except cupy.cuda.runtime.CUDARuntimeError as reason:
    devices = str(reason)
version = ".".join(map(str, nvrtc.getVersion()))
description = devices
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[ContainerEngine]:
    connected = connect(options_from_environment())
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Cache:
    """A cache of our own, with the wheels that the user's already has: CUDA's weigh 320 MB."""
    folder = tmp_path_factory.mktemp("cuda-cache")
    with suppress(OSError):  # another file system, or none there yet
        shutil.copytree(cache_directory() / "wheels", folder / "wheels", copy_function=os.link)
    return Cache(folder)


@pytest.fixture(scope="module")
def images(engine: ContainerEngine, cache: Cache, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Builds CUDA images of a tiny plugin."""
    folder = tmp_path_factory.mktemp("cudatest")
    (folder / "manifest.py").write_text(MANIFEST)
    (folder / "__init__.py").touch()
    files = tuple(SourceFile(name, folder / name) for name in ("manifest.py", "__init__.py"))
    tags = set()

    def make(*requirements: str, **settings: Any) -> BuiltImage:
        asked = requirement_set(requirements, source="manifest.py")
        tag = f"mixpeek/cudatest:{secrets.token_hex(4)}"
        request = BuildRequest("cudatest", files, asked, accelerator="cuda", tag=tag, **settings)
        built = build(request, engine, SilentReporter(), cache)
        tags.add(tag)
        return built

    yield make
    for tag in tags:
        engine.client.images.remove(tag, force=True)


@pytest.fixture(scope="module")
def cupy(images: Any) -> BuiltImage:
    built: BuiltImage = images(*CUPY)
    return built


def inspected(engine: ContainerEngine, image: BuiltImage) -> dict[str, Any]:
    config: dict[str, Any] = engine.client.api.inspect_image(image.id)["Config"]
    return config


def run(engine: ContainerEngine, image: BuiltImage, policy: Policy, program: str) -> Any:
    """What ``program`` prints as JSON in a container under ``policy``."""
    command = ["/opt/mixpeek/python", "-I", "-S", "-B", "-c", program]
    dialect = dialect_for(engine, policy)
    request = container_request(policy, image=image.id, command=command, labels={}, dialect=dialect)
    name = f"mixpeek-cudatest-{secrets.token_hex(4)}"
    engine.client.api.create_container_from_config(request, name=name)  # type: ignore[no-untyped-call]
    try:
        stream = AttachedStream(engine, name)
        engine.client.api.start(name)
        output = b"".join(data for _, data in stream.chunks(time.monotonic() + 60))
        stream.close()
    finally:
        engine.client.api.remove_container(name, force=True)
    lines = output.decode().splitlines()
    return json.loads(lines[-1]) if lines and lines[-1].startswith("{") else output.decode()


def test_the_image_says_what_it_needs(engine: ContainerEngine, cupy: BuiltImage) -> None:
    config = inspected(engine, cupy)
    labels = {name: value for name, value in config["Labels"].items() if name.startswith("com.mixpeek.cuda")}
    assert labels["com.mixpeek.cuda.version"].startswith("12.")
    assert labels["com.mixpeek.cuda.least-driver"] == "525.60.13"
    assert labels["com.mixpeek.cuda.compute-capability"] == "5.0"
    assert all(package in labels["com.mixpeek.cuda.packages"] for package in CUPY)
    assert config["Labels"]["com.mixpeek.accelerator"] == "cuda"
    assert needs_from_labels(config["Labels"]) == cupy.cuda


def test_the_image_stands_on_the_slim_base_as_an_ordinary_user(engine: ContainerEngine, cupy: BuiltImage) -> None:
    config = inspected(engine, cupy)
    assert config["User"] == "65532:65532"
    environment = dict(entry.split("=", 1) for entry in config["Env"])
    assert environment["NVIDIA_VISIBLE_DEVICES"] == "all"
    assert environment["NVIDIA_DRIVER_CAPABILITIES"] == "compute,utility"
    assert "LD_LIBRARY_PATH" not in environment
    assert sum(layer.size for layer in cupy.base.config.layers) < 100e6


def test_it_is_placed_by_the_fast_route_although_its_wheels_share_a_folder(cupy: BuiltImage) -> None:
    assert cupy.route in ("present", "partial", "whole")


def test_the_same_build_is_found(images: Any, cupy: BuiltImage) -> None:
    assert images(*CUPY).id == cupy.id


@pytest.mark.parametrize("policy", [Policy(), WITHOUT_DEVICES], ids=["cpu", "gpu"])
def test_cupy_imports_without_a_gpu_and_says_that_there_is_no_driver(
    engine: ContainerEngine, cupy: BuiltImage, policy: Policy
) -> None:
    if isinstance(read_gpus(), GpuHost):
        pytest.skip("this machine has a driver")
    program = (
        "import sys, json; sys.path.append('/opt/mixpeek/dependencies')\n"
        "import cupy\n"
        "from cupy.cuda import nvrtc\n"
        "try:\n"
        "    reason = f'{cupy.cuda.runtime.getDeviceCount()} devices'\n"
        "except cupy.cuda.runtime.CUDARuntimeError as failure:\n"
        "    reason = str(failure)\n"
        "print(json.dumps({'nvrtc': nvrtc.getVersion(), 'reason': reason}))\n"
    )
    found = run(engine, cupy, policy, program)
    assert "cudaErrorInsufficientDriver" in found["reason"]
    assert found["nvrtc"][0] == 12  # found in the dependencies, which are not the interpreter's own folder


def test_a_plugin_that_imports_cupy_is_described_in_the_real_sandbox(
    engine: ContainerEngine, cupy: BuiltImage
) -> None:
    job = Job("cudatest", "/opt/mixpeek/plugin/cudatest", ("describe",))
    with Session(engine, cupy.id, Policy(wall_seconds=120.0)) as session:
        outcome = session.run(job)
    described = outcome.transcript.stages["describe"].result
    assert described is not None
    values = described["manifest"]["values"]
    assert values["version"].startswith("12.")
    if not isinstance(read_gpus(), GpuHost):
        assert "cudaErrorInsufficientDriver" in values["description"]


def test_a_cpu_sandbox_tells_nvidia_s_hook_to_hand_nothing_in(engine: ContainerEngine, cupy: BuiltImage) -> None:
    program = "import os, json; print(json.dumps(dict(os.environ)))"
    assert run(engine, cupy, Policy(), program)["NVIDIA_VISIBLE_DEVICES"] == "void"


IOCTLS = """
import errno, fcntl, json, os
found = {}
descriptor = os.open("/dev/null", os.O_RDWR)
for request in (0xC020462A, 0x30000001, 25, 0x5412, 0x4B4D, 0xAE00):
    try:
        fcntl.ioctl(descriptor, request, bytes(64))
        found[hex(request)] = "done"
    except OSError as reason:
        found[hex(request)] = errno.errorcode[reason.errno]
print(json.dumps(found))
"""


def test_the_kernel_lets_the_driver_s_requests_through_at_the_gpu_level_only(
    engine: ContainerEngine, cupy: BuiltImage
) -> None:
    """ENOTTY comes from /dev/null, which knows no requests: the filter let it pass. EPERM is the filter's."""
    cpu, gpu = run(engine, cupy, Policy(), IOCTLS), run(engine, cupy, WITHOUT_DEVICES, IOCTLS)
    assert set(cpu.values()) == {"EPERM"}
    driver, others = list(gpu.values())[:3], list(gpu.values())[3:]
    assert set(driver) == {"ENOTTY"}
    assert set(others) == {"EPERM"}


def test_a_kernel_runs_or_nothing_passes(engine: ContainerEngine, cupy: BuiltImage) -> None:
    check = check_gpu(engine, cupy.id)
    assert check.run.report is not None
    assert [library.error for library in check.run.report.libraries] == [None, None]
    assert check.run.report.compiler is not None
    assert check.run.report.compiler.error is None
    if check.run.report.driver.devices:
        assert check.verdict is Verdict.FITS, check.findings
    else:
        assert check.verdict is Verdict.UNKNOWN
        assert check.verdict.exit_code is ExitCode.COULD_NOT_TELL
        assert "this image needs driver ≥ 525.60.13; " in check.findings[0].message
        assert check.findings[0].remedy
    names = [name for one in engine.client.api.containers(all=True) for name in one["Names"]]
    assert not any(name.startswith("/mixpeek-gpu-") for name in names)


def test_an_image_without_its_compiler_is_blamed_with_or_without_a_gpu(
    engine: ContainerEngine, images: Any
) -> None:
    check = check_gpu(engine, images("cupy-cuda12x", "nvidia-cuda-runtime-cu12").id)
    assert check.verdict is Verdict.IMAGE_WRONG
    assert check.verdict.exit_code is ExitCode.PLUGIN_AT_FAULT
    assert "no wheel brings nvidia-cuda-nvrtc" in check.findings[0].message


def test_without_a_driver_the_comparison_could_not_tell(cupy: BuiltImage) -> None:
    host = read_gpus()
    verdict = compare(cupy.cuda, host).verdict
    if isinstance(host, GpuHost) and host.devices:
        assert verdict in (Verdict.FITS, Verdict.HOST_WRONG)
    else:
        assert verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("cupy_package", "line", "driver"), [("cupy-cuda12x", 12, "525.60.13"), ("cupy-cuda13x", 13, "580.65.06")]
)
def test_both_lines_of_cuda_are_resolved_and_told_apart(
    cupy: BuiltImage, cache: Cache, cupy_package: str, line: int, driver: str
) -> None:
    """By names and versions of real wheels; only the first line's are fetched in this suite."""
    asked = requirement_set(
        [cupy_package, f"nvidia-cuda-runtime{'-cu12' if line == 12 else '>=13,<14'}"], source="x"
    )
    lock = resolve(asked, cupy.base.target, cache, accelerator="cuda").lock
    needs = cuda_needs(lock.wheels)
    assert needs is not None
    assert needs.version is not None
    assert (needs.version.major, needs.least_driver) == (line, driver)


def test_a_plugin_at_the_gpu_level_runs_after_a_kernel_or_not_at_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    verdict = plugin_test(capsys, make_plugin(tmp_path), "--sandbox", "--level", "gpu")
    if isinstance(read_gpus(), GpuHost):
        assert verdict.exit_code == ExitCode.PASSED
    else:
        assert verdict.exit_code == ExitCode.COULD_NOT_TELL
        assert verdict.error["id"] == "gpu-unavailable"
        assert "GPU" in verdict.error["remedy"]


def test_two_lines_of_cuda_are_refused_by_name_before_anything_is_fetched(
    engine: ContainerEngine, cache: Cache
) -> None:
    before = set(cache.root.glob("wheels/**/*"))
    asked = requirement_set(["cupy-cuda12x", "nvidia-cuda-runtime>=13"], source="manifest.py")
    request = BuildRequest("cudatest", (), asked, accelerator="cuda")
    with pytest.raises(DependencyFault) as caught:
        build(request, engine, SilentReporter(), cache)
    assert "cupy-cuda12x" in caught.value.message
    assert "nvidia-cuda-runtime" in caught.value.message
    assert set(cache.root.glob("wheels/**/*")) == before


def test_an_image_for_gpus_that_needs_no_cuda_says_so(engine: ContainerEngine, images: Any) -> None:
    built = images()
    assert built.cuda is None
    assert inspected(engine, built)["Labels"]["com.mixpeek.cuda.version"] == "none"
