"""What ``--fix`` says it did."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from toolchain.core.containers import ConnectOptions, ContainerEngine
from toolchain.core.reporter import SilentReporter
from toolchain.doctor import DoctorOptions, Surroundings, repair

ENGINE = ContainerEngine(
    client=None,  # type: ignore[arg-type]
    kind="docker",
    found="in words that nobody parses",
    address="unix:///s",
    version="27",
    api_version="1.47",
    architecture="amd64",
    local=True,
)


@pytest.mark.parametrize("started", [True, False])
def test_an_engine_is_named_when_it_was_started(monkeypatch: pytest.MonkeyPatch, started: bool) -> None:
    module = sys.modules[repair.__module__]
    found = Surroundings(environment={}, cache=Path("/c"), engine=replace(ENGINE, started=started))
    monkeypatch.setattr(module, "survey", lambda *_: found)
    monkeypatch.setattr(module, "_make_base", lambda *_: None)
    _, done = repair(DoctorOptions(ConnectOptions(), Path("/c")), SilentReporter())
    assert done == (("started an engine: in words that nobody parses at unix:///s",) if started else ())
