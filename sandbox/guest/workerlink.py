"""The supervisor's hold on its worker: starts it, hands it stages, hears how they ended."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.guest.trace.kernel import FilterRefused
from sandbox.guest.trace.watch import Watch, Watching

WARM_UP_SECONDS = 60.0
"""The most that a worker's imports take, on a cold disk; not the plugin's time."""

_ENTRY = str(Path(__file__).with_name("__main__.py"))
_ANSWER_LIMIT = 4096
_WORDS = {"warm": set(), "started": set(), "ended": {"status", "peak_memory_bytes"}}
_CLAIM_WAIT = struct.pack("ll", 0, 200_000)  # struct timeval: 0.2 s


class WorkerLost(Exception):
    """The worker ended, or could not be started, while a stage was under way."""


@dataclass(frozen=True)
class StagePipes:
    """What comes out of a stage: what it prints, its messages, and what its interpreter tells of the plugin."""

    output: int
    results: int
    claims: socket.socket


class WorkerLink:
    """At most one worker at a time; a lost one is replaced at the next stage."""

    def __init__(self, folders: Sequence[str], watching: Watching) -> None:
        self._folders = folders
        self.watching = watching
        self._watch: Watch | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.socket: socket.socket = self._start()

    @property
    def pid(self) -> int | None:
        """The worker's process id while it lives."""
        return self._process.pid if self._process is not None else None

    def confined(self) -> None:
        """Wait until the worker is under the inner filter, where there is one. Raises ``FilterRefused``."""
        if self._watch is not None:
            self._watch.ready()

    @contextmanager
    def hand_over(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> Iterator[StagePipes]:
        """Ask the worker for a stage; ``answer`` tells how it goes on. The pipes are closed on leaving.

        ``descriptors`` go to the stage: the sample's, and for batches their socket and the shared files.

        Raises ``WorkerLost``.
        """
        if self._process is None:
            self.socket = self._start()
            try:
                self.confined()
            except FilterRefused as reason:
                raise WorkerLost(f"a new worker could not be confined ({reason})") from None
        output, output_end = os.pipe()
        results, results_end = os.pipe()
        claims, claims_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        # The queue holds ten datagrams where nobody raised the limit; what is not read in time is lost.
        claims_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _CLAIM_WAIT)
        try:
            try:
                body = json.dumps(request).encode()
                ends = [output_end, results_end, claims_end.fileno(), *descriptors]
                socket.send_fds(self.socket, [body], ends)
            except OSError as reason:
                raise WorkerLost(f"the worker does not listen ({reason})") from None
            finally:
                os.close(output_end)
                os.close(results_end)
                claims_end.close()
            yield StagePipes(output, results, claims)
        finally:
            os.close(output)
            os.close(results)
            claims.close()

    def answer(self) -> dict[str, Any]:
        """The worker's next message, which ``socket`` must be ready for. Raises ``WorkerLost``."""
        try:
            word = json.loads(self.socket.recv(_ANSWER_LIMIT))
            complete = isinstance(word, dict) and _WORDS[word["type"]] <= word.keys()
        except (OSError, ValueError, TypeError, LookupError, RecursionError) as reason:
            raise WorkerLost(f"the worker ended or was killed ({reason})") from None
        if not complete:
            raise WorkerLost("it does not speak as a worker does")
        return dict(word)

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
        flags = ["-I", "-S", "-B"] if sys.flags.isolated else ["-B"]
        watched, watcher = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        descriptors = [theirs.fileno(), watched.fileno()]
        argv = [sys.executable, *flags, _ENTRY, "worker", *map(str, descriptors), *self._folders]
        with theirs, watched:
            try:
                self._process = subprocess.Popen(argv, pass_fds=descriptors)
            except OSError as reason:
                ours.close()
                watcher.close()
                raise WorkerLost(f"the worker could not be started ({reason})") from None
        self._watch = self.watching.over(self._process.pid, watcher)
        with suppress(OSError):  # of a worker that is gone already the first stage tells
            ours.send(json.dumps({"watch": self.watching.places}).encode())
        return ours
