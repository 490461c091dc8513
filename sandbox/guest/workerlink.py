"""The supervisor's hold on its worker: starts it, hands it stages, hears how they ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

_ENTRY = str(Path(__file__).with_name("__main__.py"))
_START_SECONDS = 60.0


class WorkerLost(Exception):
    """The worker ended, or stopped answering, while a stage was under way."""


@dataclass(frozen=True)
class RunningStage:
    """A stage under way: its process and the reading ends of its two pipes."""

    pid: int
    output: int
    results: int

    def kill(self) -> None:
        """End the stage's session."""
        for end in (os.killpg, os.kill):
            with suppress(ProcessLookupError, PermissionError):
                end(self.pid, signal.SIGKILL)


class WorkerLink:
    """At most one worker at a time; a lost one is replaced at the next stage."""

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders
        self._process: subprocess.Popen[bytes] | None = None
        self.socket: socket.socket = self._start()

    @property
    def pid(self) -> int | None:
        """The worker's process id while it lives."""
        return self._process.pid if self._process is not None else None

    @contextmanager
    def start(self, stage: str, job: dict[str, Any], sample: BinaryIO) -> Iterator[RunningStage]:
        """Have the worker fork a process for ``stage``; its pipes are closed on leaving.

        Raises ``WorkerLost``.
        """
        if self._process is None:
            self.socket = self._start()
        output, output_end = os.pipe()
        results, results_end = os.pipe()
        request = json.dumps({"stage": stage, **{key: job[key] for key in ("plugin", "pytest", "sample", "seed")}})
        try:
            try:
                sample.seek(0)
                descriptors = [output_end, results_end, sample.fileno()]
                socket.send_fds(self.socket, [request.encode()], descriptors)
            except OSError as reason:
                raise self._lost(str(reason)) from None
            finally:
                os.close(output_end)
                os.close(results_end)
            yield RunningStage(self._receive("started")["pid"], output, results)
        finally:
            os.close(output)
            os.close(results)

    def ended(self) -> tuple[int, int]:
        """Wait status and peak resident memory in bytes of the stage. Raises ``WorkerLost``."""
        answer = self._receive("ended")
        return answer["status"], answer["peak_memory_bytes"]

    def await_end(self, seconds: float) -> None:
        """Give a killed stage a moment to be reaped; a worker that does not say so is given up."""
        self.socket.settimeout(seconds)
        try:
            self.ended()
        except WorkerLost:
            self.close()
        else:
            self.socket.settimeout(_START_SECONDS)

    def close(self) -> None:
        """End the worker."""
        if self._process is not None:
            self.socket.close()
            self._process.kill()
            with suppress(ChildProcessError):
                self._process.wait()
            self._process = None

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            flags = ["-I", "-S", "-B"] if sys.flags.isolated else ["-B"]
            self._process = subprocess.Popen(
                [sys.executable, *flags, _ENTRY, "worker", str(theirs.fileno()), *self._folders],
                pass_fds=[theirs.fileno()],
            )
        ours.settimeout(_START_SECONDS)
        return ours

    def _receive(self, kind: str) -> dict[str, Any]:
        try:
            answer = json.loads(self.socket.recv(4096))
            if answer["type"] != kind:
                raise ValueError(kind)
        except (OSError, ValueError, KeyError) as reason:
            raise self._lost(str(reason)) from None
        return dict(answer)

    def _lost(self, reason: str) -> WorkerLost:
        self.close()
        return WorkerLost(f"the worker ended or was killed ({reason})")
