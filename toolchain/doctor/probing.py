"""Runs probe containers: launched exactly as plugins are, with limits small enough to hit at once."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandbox.dialect import dialect_for
from sandbox.launch import container_request
from sandbox.policy import MEBIBYTE, Policy
from toolchain.core.containers import ContainerEngine, engine_errors
from toolchain.core.errors import EngineRefused, MixpeekError
from toolchain.doctor.model import Surroundings

LABELS = {"com.mixpeek.kind": "doctor"}

PROBE_POLICY = replace(
    Policy(), level="doctor", cpus=0.3, memory=64 * MEBIBYTE, processes=16, scratch=MEBIBYTE, scratch_inodes=64
)
MEMORY_POLICY = replace(PROBE_POLICY, memory=32 * MEBIBYTE, cpus=1.0)

# Eight times the limit. A literal would be zero pages that are never touched; a product of bytes is written out.
_DEVOUR = "print(len(b'x' * (256 << 20)))"
_WAIT_SECONDS = 15
_LOG_LIMIT = 64 << 10


@dataclass(frozen=True)
class Ended:
    """How a probe container ended, by the engine's account, and what it printed."""

    exit_code: int
    out_of_memory: bool
    output: str


@dataclass(frozen=True)
class Probes:
    """What the two containers showed: ``report`` is ``inside.main``'s object, ``memory`` the devourer's end."""

    report: dict[str, Any]
    memory: Ended


def probe(surroundings: Surroundings) -> Probes:
    """Run both probe containers at once, about 0.8 s on the machine where this was measured.

    Raises ``EngineRefused`` when the engine does not take our settings, ``EngineUnavailable`` when it is gone. The
    containers are removed on every path.
    """
    engine, image = surroundings.engine, surroundings.base_image
    assert engine is not None
    assert image is not None
    script = Path(__file__).with_name("inside.py").read_text(encoding="utf-8")
    with _containers(engine, image) as containers:
        interpreter = [surroundings.interpreter, "-I", "-S", "-B", "-c"]
        trying = containers.start(PROBE_POLICY, [*interpreter, script])
        devouring = containers.start(MEMORY_POLICY, [*interpreter, _DEVOUR])
        tried, devoured = containers.finish(trying), containers.finish(devouring)
    return Probes(_report(tried), devoured)


@contextmanager
def _containers(engine: ContainerEngine, image: str) -> Iterator[_Launcher]:
    """A launcher whose containers are gone when the block is left, also those whose creation was interrupted."""
    launcher = _Launcher(engine, image)
    try:
        yield launcher
    finally:
        for name in launcher.names:
            with suppress(MixpeekError), engine_errors("remove the probe container"):
                engine.client.api.remove_container(name, force=True, v=True)


class _Launcher:
    """Starts probe containers under names chosen here, so that one can be removed whose id never arrived."""

    def __init__(self, engine: ContainerEngine, image: str) -> None:
        self._api = engine.client.api
        self._image = image
        self._dialect = dialect_for(engine, PROBE_POLICY)
        self.names: list[str] = []

    def start(self, policy: Policy, command: list[str]) -> str:
        name = f"mixpeek-doctor-{secrets.token_hex(6)}"
        request = container_request(
            policy,
            image=self._image,
            command=command,
            labels=LABELS,
            dialect=self._dialect,
        )
        # What a probe prints is ours and short, so the engine may keep it; a plugin's output is streamed instead.
        request["HostConfig"]["LogConfig"] = {"Type": "json-file", "Config": {"max-size": "64k"}}
        self.names.append(name)
        with engine_errors("start a probe container with our limits"):
            self._api.create_container_from_config(request, name=name)  # type: ignore[no-untyped-call]
            self._api.start(name)
        return name

    def finish(self, name: str) -> Ended:
        with engine_errors("follow a probe container"):
            self._api.wait(name, timeout=_WAIT_SECONDS)
            state = self._api.inspect_container(name)["State"]
            output = self._api.logs(name, stdout=True, stderr=True)
        return Ended(
            int(state["ExitCode"]), bool(state["OOMKilled"]), output[-_LOG_LIMIT:].decode(errors="replace")
        )


def _report(ended: Ended) -> dict[str, Any]:
    for line in ended.output.splitlines():
        with suppress(ValueError):
            value = json.loads(line)
            if isinstance(value, dict):
                return value
    printed = ended.output.strip()[-300:] or "nothing"
    raise EngineRefused(
        f"the probe container ended with {ended.exit_code} and no report; it printed {printed}",
        remedy="see whether any container runs on this engine; if so, report this message",
    )
