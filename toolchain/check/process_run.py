"""Runs the guest as a child process of the author's own Python: for one's own plugin, not for one to distrust."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import sandbox.guest
from sandbox.conversation import Job, Listener
from sandbox.outcome import Ending, before_the_plugin, not_cleared
from sandbox.policy import Policy
from sandbox.protocol import encode
from toolchain.check.guest_run import GuestRun
from toolchain.core.errors import ProtocolViolation
from toolchain.core.process import spawn

_CHUNK = 1 << 18
_DIAGNOSTICS = 16 << 10
_ENTRY = Path(sandbox.guest.__file__).with_name("__main__.py")
_LEAVING_SECONDS = 10.0


def run_in_process(
    python: Path, job: Job, policy: Policy, started: Callable[[str], None], environment: Mapping[str, str]
) -> GuestRun:
    """Run ``job`` under ``python``, with the deadlines and output limits of ``policy`` and nothing else of it.

    Raises ``ProcessFailed`` when the interpreter cannot be started.
    """
    listener = Listener(policy, job, started)
    argv = [str(python), "-B", str(_ENTRY), "process", "-"]
    began = time.monotonic()
    with spawn(argv, env={**environment, "PYTHONDONTWRITEBYTECODE": "1"}) as process:
        try:
            ending, reason = _converse(process, job, listener, policy, began + policy.wall_seconds)
        finally:
            _dismiss(process)
    limits = f"the limit is {policy.stage_seconds:g} s a stage (--timeout)"
    return GuestRun(f"{python}, without isolation", listener.transcript, ending, reason, limits)


def _converse(
    process: subprocess.Popen[bytes], job: Job, listener: Listener, policy: Policy, deadline: float
) -> tuple[Ending, str]:
    outgoing = memoryview(encode(job.message(policy)))
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    os.set_blocking(process.stdin.fileno(), False)
    with selectors.DefaultSelector() as ready:
        ready.register(process.stdin, selectors.EVENT_WRITE)
        ready.register(process.stdout, selectors.EVENT_READ)
        ready.register(process.stderr, selectors.EVENT_READ)
        while not listener.transcript.done:
            left = deadline - time.monotonic()
            if left <= 0:
                return (
                    Ending.TIMEOUT,
                    f"the tests were still running after {policy.wall_seconds:g} s and were killed",
                )
            for key, _ in ready.select(left):
                if key.fileobj is process.stdin:
                    outgoing = _send(process.stdin.fileno(), outgoing)
                    if not outgoing:
                        ready.unregister(process.stdin)
                    continue
                data = os.read(key.fd, _CHUNK)
                if key.fileobj is process.stderr:
                    text = listener.transcript.diagnostics + data.decode(errors="replace")
                    listener.transcript.diagnostics = text[-_DIAGNOSTICS:]
                elif not data:
                    return _died(process, listener)
                else:
                    try:
                        listener.feed(data)
                    except ProtocolViolation as violation:
                        return Ending.VIOLATION, violation.message
                if not data:
                    ready.unregister(key.fileobj)
    return Ending.COMPLETED, "every stage was reported"


def _dismiss(process: subprocess.Popen[bytes]) -> None:
    """Hang up and let the guest end whatever the plugin started, which may be in sessions of its own."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_LEAVING_SECONDS)


def _send(descriptor: int, data: memoryview) -> memoryview:
    try:
        return data[os.write(descriptor, data[:_CHUNK]) :]
    except BlockingIOError:
        return data
    except BrokenPipeError:
        return data[len(data) :]  # the guest is gone; its standard output says so next


def _died(process: subprocess.Popen[bytes], listener: Listener) -> tuple[Ending, str]:
    try:
        status: int | None = process.wait(_LEAVING_SECONDS)
    except subprocess.TimeoutExpired:
        status = None
    if not listener.transcript.started:
        return Ending.UNAVAILABLE, before_the_plugin(status, listener.transcript)
    if (left := not_cleared(status, listener.transcript)) is not None:
        return left
    stage = listener.transcript.started[-1]
    return Ending.DIED, f"the guest ended with status {status} during {stage} without reporting"
