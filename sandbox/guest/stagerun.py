"""One stage from request to report: everything its process says is bounded, and its end is not its own word."""

from __future__ import annotations

import os
import selectors
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sandbox.guest.hoststream import HostStream
from sandbox.guest.strays import StillRunning, end_strays, hold_everything, reap
from sandbox.guest.trace.claims import read_claim
from sandbox.guest.trace.left import note_left_running
from sandbox.guest.workerlink import StagePipes, WorkerLate, WorkerLink, WorkerLost
from sandbox.protocol import Decoder, Message, ProtocolError

_CHUNK = 1 << 16
_TAIL_BYTES = 64 << 10
_TICK_SECONDS = 0.25
_LOOK_SECONDS = 0.01  # how often we look whether a stage has ended, where no handle tells
_DATAGRAMS = 1024  # twice the queue that distributions set (net.unix.max_dgram_qlen)
_PIPE_CHUNKS = 32  # twice the most that a pipe of an ordinary user holds (1 MiB, pipe(7))


@dataclass
class _Gathered:
    """What came out of a stage so far. ``ended`` is as in ``sandbox.conversation.StageReport``."""

    output: bytearray = field(default_factory=bytearray)
    output_bytes: int = 0
    result: dict[str, Any] | None = None
    blob: bytes = b""
    progress: str | None = None
    violation: str | None = None
    ended: str | None = None
    status: int | None = None
    peak_memory_bytes: int | None = None


class StageRun:
    """A stage under way. ``run`` returns its report whatever the stage does, and leaves nothing of it running.

    Where the kernel lets something of it live on, ``unended`` says so: nothing may run after it.
    """

    def __init__(self, link: WorkerLink, name: str, job: dict[str, Any], sample: int, host: HostStream) -> None:
        self._link = link
        self._name = name
        self._limits = job["limits"]
        # Forgers who only know the protocol do not know this. Who reads the process's memory does: see the
        # security model, which calls everything from a stage a claim.
        self._token = os.urandom(16).hex()
        self._request = {
            "stage": name,
            "token": self._token,
            **{key: job[key] for key in ("plugin", "pytest", "sample", "seed")},
        }
        self._descriptors = [sample]
        self._host = host
        self._decoder = Decoder(self._limits["result_bytes"])
        self._got = _Gathered()
        self._deadline = 0.0
        self.unended: StillRunning | None = None

    def run(self) -> Message:
        """Run the stage to its end. Raises ``HostGone``."""
        began = time.monotonic()
        try:
            self._link.ready(self._host)
            with self._link.hand_over(self._request, self._descriptors) as pipes:
                self._attend(pipes)
                self._clear_up()
                self._drain(pipes)
        except WorkerLate:
            self._got.ended = "not-started"
            self._clear_up()
        except (WorkerLost, StillRunning) as reason:
            self._got.ended = f"lost: {reason}"
            self._clear_up()
        got = self._got
        body = {
            "stage": self._name,
            "ended": got.ended,
            "status": got.status,
            "seconds": time.monotonic() - began,
            "peak_memory_bytes": got.peak_memory_bytes,
            "output": bytes(got.output[-_TAIL_BYTES:]).decode(errors="replace"),
            "output_bytes": got.output_bytes,
            "progress": got.progress,
            "violation": got.violation,
            "result": got.result,
            "tried": self._link.watching.take(),
        }
        return Message("stage", body, got.blob)

    def _attend(self, pipes: StagePipes) -> None:
        """Listen to the stage, the worker and the host until the stage has ended or must be ended."""
        self._restart_deadline()
        assert self._link.stage is not None
        handle = self._link.stage.handle
        with selectors.DefaultSelector() as ready:
            ready.register(pipes.output, selectors.EVENT_READ, self._take_output)
            ready.register(pipes.results, selectors.EVENT_READ, self._take_result)
            ready.register(pipes.claims, selectors.EVENT_READ, self._take_claim)
            ready.register(self._link.socket, selectors.EVENT_READ, self._lose_worker)
            ready.register(self._host.descriptor, selectors.EVENT_READ, self._look_for_host)
            if handle is not None:
                ready.register(handle, selectors.EVENT_READ, lambda _handle: True)
            self._take_from_host(readable=False)
            while self._got.ended is None:
                left = self._deadline - time.monotonic()
                most = _TICK_SECONDS if handle is not None else _LOOK_SECONDS
                for key, _ in ready.select(max(0.0, min(left, most))):
                    if not key.data(key.fd):
                        ready.unregister(key.fd)
                self._see_end(self._link.stage.pid)
                if self._got.ended is None and left <= 0:
                    self._got.ended = "deadline"

    def _restart_deadline(self) -> None:
        self._deadline = time.monotonic() + float(self._limits["stage_seconds"])

    def _see_end(self, stage: int) -> None:
        """Collect who has ended: the stage, and orphans, which would fill the container's table of processes."""
        ended = reap().get(stage)
        if ended is not None and self._got.ended is None:
            self._got.ended = "exited"
            self._got.status, self._got.peak_memory_bytes = ended

    def _lose_worker(self, _descriptor: int) -> bool:
        """A worker has nothing to say while a stage runs, so it has ended or was made to speak."""
        raise WorkerLost("the worker ended, or spoke while a stage ran")

    def _take_output(self, descriptor: int) -> bool:
        chunk = os.read(descriptor, _CHUNK)
        got = self._got
        got.output_bytes += len(chunk)
        got.output += chunk
        if len(got.output) > 2 * _TAIL_BYTES:
            del got.output[:-_TAIL_BYTES]
        if got.output_bytes > self._limits["output_bytes"]:
            got.ended = got.ended or "output-limit"
        return bool(chunk)

    def _take_claim(self, descriptor: int) -> bool:
        """Take one thing that the plugin's own interpreter tells. Whoever forges it gains what a lie gains."""
        with suppress(ValueError, TypeError, RecursionError):
            claim = read_claim(os.read(descriptor, _CHUNK))
            self._link.watching.claimed.note(claim.kind, claim.subject, count=claim.count, **claim.details)
        return True

    def _take_result(self, descriptor: int) -> bool:
        chunk = os.read(descriptor, _CHUNK)
        try:
            for message in self._decoder.feed(chunk):
                self._accept(message)
        except ProtocolError as reason:
            self._got.violation = self._got.violation or str(reason)
            self._link.watching.observed.note("forged", str(reason), answer="not believed")
            self._got.ended = self._got.ended or "violation"
            return False
        return bool(chunk)

    def _accept(self, message: Message) -> None:
        self._check(message)
        if message.type == "progress" and isinstance(message.body.get("at"), str):
            self._got.progress = message.body["at"][:500]
        elif message.type == "result" and self._got.result is None:
            self._got.result, self._got.blob = message.body, message.blob
        else:
            # Two results can only come from code that writes to the stage's channel behind our back.
            raise ProtocolError(f"an unexpected message of type {message.type[:40]!r}")

    def _check(self, message: Message) -> None:
        """Raise ``ProtocolError`` for a message that does not know this stage's token, and take that off."""
        if message.body.pop("token", None) != self._token:
            raise ProtocolError("a message that the stage's own code did not send")

    def _look_for_host(self, _descriptor: int) -> bool:
        self._take_from_host(readable=True)
        return True

    def _take_from_host(self, *, readable: bool) -> None:
        for message in self._host.take(readable=readable):
            self._hear_host(message)

    def _hear_host(self, message: Message) -> None:
        """A stage of a test has all that it needs: the host has nothing more to say but that it hangs up."""

    def _clear_up(self) -> None:
        """Leave nothing running but a worker that did what it should."""
        if self._got.ended != "exited":
            hold_everything()
            self._link.close()
        try:
            spared = end_strays(self._link.pid, self._note_left, self._limits["clearing_seconds"])
        except StillRunning as reason:
            self.unended, spared = reason, False
        if not (spared and self._link.stood_still()):
            self._link.close()

    def _note_left(self, processes: set[int]) -> None:
        """Write down what outlives a stage that ended by itself; of another one everything is still running."""
        if self._got.ended == "exited":
            note_left_running(self._link.watching.observed, processes)

    def _drain(self, pipes: StagePipes) -> None:
        """Take what is still in the pipes; all who could write to them are dead, so that is little."""
        left = (
            (pipes.output, self._take_output, _PIPE_CHUNKS),
            (pipes.results, self._take_result, _PIPE_CHUNKS),
            (pipes.claims.fileno(), self._take_claim, _DATAGRAMS),
        )
        for descriptor, take, most in left:
            os.set_blocking(descriptor, False)
            with suppress(BlockingIOError):
                for _ in range(most):
                    if not take(descriptor):
                        break
