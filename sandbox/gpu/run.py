"""Runs the GPU check in a confined container of the image that is judged."""

from __future__ import annotations

import secrets
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from sandbox.dialect import dialect_for
from sandbox.gpu.report import GpuReport, NotAReport, read_report
from sandbox.launch import container_request
from sandbox.leftovers import ownership
from sandbox.policy import GPU_POLICY, Policy
from sandbox.stream import AttachedStream
from toolchain.core.containers import ContainerEngine, engine_errors
from toolchain.core.errors import MixpeekError
from toolchain.core.image_layout import DEPENDENCIES, PYTHON

# Making a context and compiling take a few seconds on a machine that just started its driver.
_SECONDS: Final = 120.0
_OUTPUT: Final = 64 << 10
_COMMAND: Final = (PYTHON, "-I", "-S", "-B", "-c")
# As the runtime says it (moby's daemon, runc, nvidia-container-cli); each means: no GPU could be handed in.
_NO_DEVICE: Final = (
    "could not select device driver",
    "unresolvable cdi devices",
    "cdi device injection failed",
    "nvidia-container-cli",
    "unknown or invalid runtime name: nvidia",
    "cdi support is not enabled",
    "no devices found for vendor",
)


@dataclass(frozen=True)
class GpuRun:
    """How the check ended.

    ``no_device`` holds the engine's words when it could not hand a GPU in; the check then ran without one, so
    that the image's own half is known all the same. ``problem`` says why there is no report.
    """

    report: GpuReport | None
    problem: str | None
    no_device: str | None
    seconds: float


def run_gpu_check(engine: ContainerEngine, image: str, policy: Policy = GPU_POLICY) -> GpuRun:
    """Run the check under ``policy``, and without devices when the engine has none to give.

    About 0.9 s without a GPU. Raises ``EngineUnavailable`` and ``EngineRefused`` for anything else that the engine
    does not do. The container is removed on every path.
    """
    began = time.monotonic()
    refused = None
    try:
        output, status = _run(engine, image, policy)
    except MixpeekError as reason:
        if not policy.gpus or not _is_about_devices(reason):
            raise
        refused = reason.message
        output, status = _run(engine, image, replace(policy, gpus=()))
    report, problem = None, None
    try:
        report = read_report(output)
    except NotAReport as reason:
        problem = f"the check ended with status {status} and without a report: {reason}"
    return GpuRun(report, problem, refused, time.monotonic() - began)


def _is_about_devices(reason: MixpeekError) -> bool:
    words = reason.message.lower()
    return any(phrase in words for phrase in _NO_DEVICE) or "ignores devices" in words


def _run(engine: ContainerEngine, image: str, policy: Policy) -> tuple[str, int | None]:
    """The program's output and exit status."""
    api = engine.client.api
    script = Path(__file__).with_name("inside.py").read_text(encoding="utf-8")
    request = container_request(
        policy,
        image=image,
        command=[*_COMMAND, script, DEPENDENCIES],
        labels=ownership(),
        dialect=dialect_for(engine, policy),
    )
    name = f"mixpeek-gpu-{secrets.token_hex(6)}"
    try:
        with engine_errors("create the GPU check's container"):
            api.create_container_from_config(request, name=name)  # type: ignore[no-untyped-call]
        stream = AttachedStream(engine, name)
        try:
            with engine_errors("start the GPU check's container"):
                api.start(name)
            output = _listen(stream)
        finally:
            stream.close()
        return output, _status(engine, name)
    finally:
        with suppress(MixpeekError), engine_errors("remove the GPU check's container"):
            api.remove_container(name, force=True, v=True)


def _listen(stream: AttachedStream) -> str:
    """What is printed until the end, the deadline or the limit, both streams together."""
    output = bytearray()
    with suppress(TimeoutError):
        for _, data in stream.chunks(time.monotonic() + _SECONDS):
            output += data
            if len(output) > _OUTPUT:
                break
    return output[: _OUTPUT + 1].decode(errors="replace")


def _status(engine: ContainerEngine, name: str) -> int | None:
    with engine_errors("ask how the GPU check ended"):
        state = engine.client.api.inspect_container(name)["State"]
    return None if state.get("Running") else int(state["ExitCode"])
