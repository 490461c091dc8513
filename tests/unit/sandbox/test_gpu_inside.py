"""The program inside, against stand-ins for the driver and for NVRTC: each half is judged without the other."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.gpu import inside
from sandbox.gpu.report import read_report

NAMES = {100: "CUDA_ERROR_NO_DEVICE", 222: "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", 803: "CUDA_ERROR_SYSTEM_MISMATCH"}


def store(reference: Any, value: int) -> None:
    reference._obj.value = value


class Driver:
    """libcuda of CUDA 12.4 with one device of compute capability 8.9; ``refuses`` maps calls to error numbers."""

    def __init__(self, devices: int = 1, wrong: bool = False, **refuses: int) -> None:
        self._devices = devices
        self._wrong = wrong
        self._refuses = refuses
        self.modules: list[bytes] = []
        self.released = 0

    def __getattr__(self, name: str) -> Any:  # noqa: C901
        def call(*arguments: Any) -> int:
            if code := self._refuses.get(name):
                return code
            if name == "cuDriverGetVersion":
                store(arguments[0], 12040)
            elif name == "cuDeviceGetCount":
                store(arguments[0], self._devices)
            elif name == "cuDeviceGetAttribute":
                store(arguments[0], {75: 8, 76: 9}[arguments[1]])
            elif name == "cuModuleLoadData":
                self.modules.append(arguments[1].value)
            elif name == "cuMemcpyDtoH_v2":
                for place in range(32):
                    arguments[0][place] = 0 if self._wrong else place * place + 7
            elif name == "cuDevicePrimaryCtxRelease_v2":
                self.released += 1
            elif name == "cuGetErrorName":
                store(arguments[1], NAMES[arguments[0]].encode())  # type: ignore[arg-type]
            return 0

        return call


class Nvrtc:
    """The image's compiler."""

    def __init__(self, fails: int = 0) -> None:
        self._fails = fails
        self.options: list[bytes] = []
        self.nvrtcGetErrorString = lambda _: b"NVRTC_ERROR_COMPILATION"

    def nvrtcVersion(self, major: Any, minor: Any) -> int:  # noqa: N802
        store(major, 12)
        store(minor, 9)
        return 0

    def nvrtcCreateProgram(self, *_: Any) -> int:  # noqa: N802
        return 0

    def nvrtcCompileProgram(self, _: Any, count: int, options: Any) -> int:  # noqa: N802
        self.options += options[:count]
        return self._fails

    def nvrtcGetPTXSize(self, _: Any, size: Any) -> int:  # noqa: N802
        store(size, 5)
        return 0

    def nvrtcGetPTX(self, _: Any, code: Any) -> int:  # noqa: N802
        code.value = b"ptx!"
        return 0


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the program with ``driver`` (or none) and libraries; an exception stands for one that does not load."""

    def go(driver: Driver | None, **libraries: Any) -> Any:
        places = {}
        for name, library in libraries.items():
            path = tmp_path / "nvidia" / name / "lib" / f"lib{name}.so.12"
            path.parent.mkdir(parents=True)
            path.touch()
            places[str(path)] = library

        def load(name: str) -> Any:
            library = driver if name == "libcuda.so.1" else places[name]
            if library is None:
                raise OSError("libcuda.so.1: cannot open shared object file")
            if isinstance(library, Exception):
                raise library
            return library

        monkeypatch.setattr(ctypes, "CDLL", load)
        inside.main(tmp_path)
        return read_report(capsys.readouterr().out)

    return go


def test_without_a_driver_the_image_s_half_is_known_all_the_same(run: Any) -> None:
    nvrtc = Nvrtc()
    report = run(None, nvrtc=nvrtc)
    assert (report.driver.loaded, report.driver.kernel) == (False, None)
    assert report.libraries[0].error is None
    assert (report.compiler.version, report.compiler.error, report.compiler.kernel) == ((12, 9), None, None)
    assert nvrtc.options == [b"--gpu-architecture=compute_75"]


def test_on_a_sound_machine_both_kernels_run(run: Any) -> None:
    driver, nvrtc = Driver(), Nvrtc()
    report = run(driver, nvrtc=nvrtc)
    assert (report.driver.version, report.driver.devices, report.driver.capability) == ((12, 4), 1, (8, 9))
    assert report.driver.kernel.right
    assert report.compiler.kernel.right
    assert driver.modules == [inside.PTX, b"ptx!"]
    assert nvrtc.options == [b"--gpu-architecture=compute_89"]
    assert driver.released == 2


def test_a_driver_that_refuses_to_start(run: Any) -> None:
    report = run(Driver(cuInit=803))
    assert report.driver.loaded
    assert str(report.driver.error) == "cuInit: CUDA_ERROR_SYSTEM_MISMATCH"


def test_a_driver_without_devices(run: Any) -> None:
    report = run(Driver(devices=0))
    assert (report.driver.devices, report.driver.kernel, report.driver.error) == (0, None, None)


def test_wrong_results_are_not_right(run: Any) -> None:
    kernel = run(Driver(wrong=True)).driver.kernel
    assert (kernel.right, kernel.error) == (False, None)


def test_a_kernel_that_is_refused_says_why_and_lets_the_device_go(run: Any) -> None:
    driver = Driver(cuModuleLoadData=222)
    kernel = run(driver).driver.kernel
    assert (kernel.right, kernel.error.code) == (False, 222)
    assert driver.released == 1


def test_a_library_that_does_not_load(run: Any) -> None:
    report = run(None, cudnn=OSError("libcublas.so.12: cannot open"), nvrtc=Nvrtc())
    assert {library.name: library.error for library in report.libraries} == {
        "cudnn": "libcublas.so.12: cannot open",
        "nvrtc": None,
    }


def test_a_compiler_that_does_not_compile(run: Any) -> None:
    assert (
        str(run(Driver(), nvrtc=Nvrtc(fails=6)).compiler.error) == "nvrtcCompileProgram: NVRTC_ERROR_COMPILATION"
    )


def test_files_of_other_names_are_left_alone(run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "nvidia" / "other" / "lib"
    folder.mkdir(parents=True)
    for name in ("libnvrtc.alt.so.12", "libevil.so.1", "libcudart.so", "libnvrtc-builtins.so.12.9"):
        (folder / name).touch()
    assert run(None).libraries == ()


def test_the_program_needs_the_standard_library_alone() -> None:
    source = Path(inside.__file__).read_text(encoding="utf-8")
    imported = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported == {"__future__", "ctypes", "json", "re", "sys", "pathlib", "typing"}
    assert len(json.dumps(source)) < 100_000  # one argument of execve: MAX_ARG_STRLEN is 128 KiB
