"""The guest's trusted part: takes one job, has a worker run its stages, ends what they leave, reports.

It never imports plugin or third-party code. In a container it is process 1: the plugin can neither signal it nor
read its memory, and its standard output, the only way to the host, is out of the plugin's reach.
"""

from __future__ import annotations

import os
import selectors
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from sandbox.guest import hardening
from sandbox.guest.workerlink import WorkerLink, WorkerLost
from sandbox.protocol import Decoder, Message, ProtocolError, encode

_CHUNK = 1 << 16
_TAIL_BYTES = 64 << 10
_AFTER_DEADLINE_SECONDS = 1.0


def supervise(*, contained: bool, folders: Sequence[str]) -> None:
    """Serve one job from standard input and exit; the exit status is 0 whenever every stage was reported.

    ``folders`` hold the plugin's dependencies where the interpreter does not know them itself.
    """
    hardening.hide_memory()
    hardening.adopt_orphans()
    source, sink = _claim_streams()
    if contained:
        hardening.ignore_signals()
    link = WorkerLink(folders)  # warms up while the host still prepares the job
    try:
        job = _read_job(source)
        with tempfile.TemporaryFile() as sample:
            sample.write(job.blob)
            sample.flush()
            for name in job.body["stages"]:
                _write(sink, Message("started", {"stage": name}))
                report = _StageRun(link, name, job.body, sample, source).run()
                _end_leftovers(link, contained=contained)
                _write(sink, report)
        _write(sink, Message("done"))
    finally:
        link.close()
        _end_leftovers(link, contained=contained)


def _claim_streams() -> tuple[int, int]:
    """Move the host's two streams to descriptors that no child inherits; the standard ones lead nowhere."""
    source, sink = os.dup(0), os.dup(1)  # os.dup makes descriptors that exec closes
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    return source, sink


def _read_job(source: int) -> Message:
    decoder = Decoder()
    while chunk := os.read(source, _CHUNK):
        for message in decoder.feed(chunk):
            return message
    sys.exit("the host closed the connection before sending a job")


def _write(sink: int, message: Message) -> None:
    data = memoryview(encode(message))
    while data:
        data = data[os.write(sink, data) :]


def _end_leftovers(link: WorkerLink, *, contained: bool) -> None:
    """Kill whatever a stage left running; only then is the next stage's ground clean.

    In a container ``kill(-1)`` reaches everything but process 1 in one step, which no fork can outrun: a process
    with a fatal signal pending cannot fork. The worker dies with them and is started anew when needed.
    """
    hardening.reap()
    keep = {link.pid} if link.pid else set()
    if not hardening.descendants(os.getpid()) - keep:
        return
    if contained and os.getpid() == 1:
        link.close()
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
    else:
        for _ in range(50):  # stop first, so that a process cannot fork between being listed and being killed
            left = hardening.descendants(os.getpid()) - keep
            if not left:
                break
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in left:
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, number)
            hardening.reap()
    time.sleep(0.005)
    hardening.reap()


@dataclass
class _Gathered:
    """What came out of a stage so far."""

    output: bytearray = field(default_factory=bytearray)
    output_bytes: int = 0
    result: dict[str, Any] | None = None
    blob: bytes = b""
    progress: str | None = None
    violation: str | None = None
    ended: str | None = None


class _StageRun:
    """One stage from request to report."""

    def __init__(self, link: WorkerLink, name: str, job: dict[str, Any], sample: BinaryIO, source: int) -> None:
        self._link = link
        self._name = name
        self._job = job
        self._sample = sample
        self._source = source
        self._decoder = Decoder(job["limits"]["result_bytes"])
        self._got = _Gathered()

    def run(self) -> Message:
        started = time.monotonic()
        try:
            status, peak = self._conduct(started + float(self._job["limits"]["stage_seconds"]))
        except WorkerLost as reason:
            status, peak = None, None
            self._got.ended = self._got.ended or f"lost: {reason}"
        body = {
            "stage": self._name,
            "ended": self._got.ended or "exited",
            "status": status,
            "seconds": time.monotonic() - started,
            "peak_memory_bytes": peak,
            "output": bytes(self._got.output[-_TAIL_BYTES:]).decode(errors="replace"),
            "output_bytes": self._got.output_bytes,
            "progress": self._got.progress,
            "violation": self._got.violation,
            "result": self._got.result,
        }
        return Message("stage", body, self._got.blob)

    def _conduct(self, deadline: float) -> tuple[int | None, int | None]:
        with (
            self._link.start(self._name, self._job, self._sample) as running,
            selectors.DefaultSelector() as ready,
        ):
            ready.register(running.output, selectors.EVENT_READ, self._take_output)
            ready.register(running.results, selectors.EVENT_READ, self._take_result)
            ready.register(self._link.socket, selectors.EVENT_READ, None)
            ready.register(self._source, selectors.EVENT_READ, self._host_gone)
            while True:
                for key, _ in ready.select(max(0.0, deadline - time.monotonic())):
                    if key.data is None:
                        ended = self._link.ended()
                        self._drain(running.output, running.results)
                        return ended
                    if not key.data(key.fd):
                        ready.unregister(key.fd)
                if self._got.ended is None and time.monotonic() >= deadline:
                    self._got.ended = "deadline"
                if self._got.ended is not None:
                    running.kill()
                    self._link.await_end(_AFTER_DEADLINE_SECONDS)
                    return None, None

    def _take_output(self, descriptor: int) -> bool:
        chunk = os.read(descriptor, _CHUNK)
        self._got.output_bytes += len(chunk)
        self._got.output += chunk
        if len(self._got.output) > 2 * _TAIL_BYTES:
            del self._got.output[:-_TAIL_BYTES]
        if self._got.output_bytes > self._job["limits"]["output_bytes"]:
            self._got.ended = self._got.ended or "output-limit"
        return bool(chunk)

    def _take_result(self, descriptor: int) -> bool:
        chunk = os.read(descriptor, _CHUNK)
        try:
            for message in self._decoder.feed(chunk):
                self._accept(message)
        except ProtocolError as reason:
            self._got.violation = str(reason)
            return False
        return bool(chunk)

    def _accept(self, message: Message) -> None:
        if message.type == "progress" and isinstance(message.body.get("at"), str):
            self._got.progress = message.body["at"][:500]
        elif message.type == "result" and self._got.result is None:
            self._got.result, self._got.blob = message.body, message.blob
        else:
            # Two results can only come from code that writes to the stage's channel behind our back.
            self._got.violation = f"an unexpected message of type {message.type[:40]!r}"

    def _drain(self, *descriptors: int) -> None:
        """Take what is still in the pipes of a stage that has ended, without waiting for grandchildren."""
        for descriptor, take in zip(descriptors, (self._take_output, self._take_result), strict=True):
            os.set_blocking(descriptor, False)
            with suppress(BlockingIOError):
                while take(descriptor):
                    pass

    def _host_gone(self, descriptor: int) -> bool:
        if not os.read(descriptor, _CHUNK):
            os._exit(70)  # nobody listens any more: as process 1 this ends the container
        return True
