"""Which Python runs the plugin: the order, and what each must have. Nothing is started here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from toolchain.check import interpreter
from toolchain.check.interpreter import Host, Wanted, choose_interpreter
from toolchain.core.errors import DependencyFault, ProcessFailed, UsageFault
from toolchain.core.process import Completed
from toolchain.core.reporter import SilentReporter

COMPLETE = {"numpy": "2.0", "pandas": "2.2", "pyarrow": "17", "pydantic": "2.7", "pytest": "8.2"}

MARKERS = {"python_version": "3.11", "sys_platform": "linux"}


@pytest.fixture
def pythons(monkeypatch, tmp_path):
    """Maps interpreters to the versions that they have; a name that is not in it cannot be started."""
    known: dict[Path, dict[str, str]] = {}
    calls: list[list[str]] = []

    def run(argv, **_options):
        calls.append(list(argv))
        if Path(argv[0]) not in known:
            raise ProcessFailed("cannot be started", where=argv[0], remedy="install it")
        versions = {name: known[Path(argv[0])].get(name) for name in json.loads(argv[-1])}
        return Completed(tuple(argv), 0, json.dumps({"versions": versions, "markers": MARKERS}), "", 0.1)

    monkeypatch.setattr(interpreter, "run", run)
    known["calls"] = calls  # type: ignore[index]
    return known


def place(folder: Path) -> Path:
    python = folder / "bin/python"
    python.parent.mkdir(parents=True)
    python.touch()
    return python


def choose(tmp_path, *, given=None, requirements=(), **environment):
    return choose_interpreter(
        given, tmp_path, Wanted(requirements), Host(environment, tmp_path / "cache"), SilentReporter()
    )


def test_the_one_that_is_named(pythons, tmp_path):
    pythons[tmp_path / "python"] = COMPLETE
    assert choose(tmp_path, given=tmp_path / "python").reason == "--python"


def test_the_one_that_is_named_and_lacks_something(pythons, tmp_path):
    pythons[tmp_path / "python"] = {**COMPLETE, "pandas": "1.5"}
    with pytest.raises(UsageFault, match=r"pandas>=2.2, torch") as fault:
        choose(tmp_path, given=tmp_path / "python", requirements=("torch",))
    assert "pip install 'pandas>=2.2' 'torch'" in fault.value.remedy


def test_the_one_that_is_named_and_does_not_run(pythons, tmp_path):
    with pytest.raises(UsageFault, match="does not run"):
        choose(tmp_path, given=tmp_path / "python")


def test_the_plugins_own_comes_first(pythons, tmp_path):
    pythons[place(tmp_path / ".venv")] = COMPLETE
    pythons[place(tmp_path / "active")] = COMPLETE
    chosen = choose(tmp_path, VIRTUAL_ENV=str(tmp_path / "active"))
    assert chosen.python == tmp_path / ".venv/bin/python"


def test_one_that_lacks_something_is_passed_over(pythons, tmp_path):
    pythons[place(tmp_path / ".venv")] = {}
    pythons[place(tmp_path / "active")] = COMPLETE
    assert choose(tmp_path, VIRTUAL_ENV=str(tmp_path / "active")).reason == "the active environment"


def test_one_that_does_not_start_is_passed_over(pythons, tmp_path):
    place(tmp_path / ".venv")
    pythons[Path(sys.executable)] = COMPLETE
    assert choose(tmp_path).reason == "the Python that runs mixpeek"


def test_a_marker_for_another_platform_asks_for_nothing(pythons, tmp_path):
    pythons[Path(sys.executable)] = COMPLETE
    assert choose(tmp_path, requirements=("pywin32; sys_platform == 'win32'",)).python == Path(sys.executable)


def test_where_none_fits_and_none_can_be_made(pythons, tmp_path, monkeypatch):
    real = interpreter.run

    def run(argv, **options):
        if "venv" in argv or "pip" in argv:
            assert options["timeout"] > 0
            return Completed(tuple(argv), int("pip" in argv), "", "no such package", 0.1)
        return real(argv, **options)

    monkeypatch.setattr(interpreter, "run", run)
    with pytest.raises(DependencyFault, match="no such package"):
        choose(tmp_path, requirements=("no-such-package",))


def test_a_program_that_is_no_python_gets_a_reason(monkeypatch, tmp_path):
    monkeypatch.setattr(interpreter, "run", lambda argv, **_: Completed(tuple(argv), 0, "", "", 0.1))
    with pytest.raises(UsageFault, match="does not run: it does not answer as a Python does"):
        choose(tmp_path, given=Path("/bin/true"))
