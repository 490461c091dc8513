"""The supervisor's hold on its worker: starts it, has it fork a process for each stage, hands that its request.

The worker runs code of the plugin's dependencies while it imports them, so it is believed nothing but that it is
ready: which process is a stage's the kernel tells, and how that ends process 1, its parent, sees itself.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.guest.hoststream import HostStream
from sandbox.guest.strays import end_all_but, reap, release, standing
from sandbox.guest.trace.kernel import FilterRefused
from sandbox.guest.trace.left import note_left_running
from sandbox.guest.trace.watch import Watch, Watching

WARM_UP_SECONDS = 60.0
"""The most that a worker's imports take, on a cold disk; not the plugin's time."""

_ENTRY = str(Path(__file__).with_name("__main__.py"))
_WORD_LIMIT = 64
_TICK_SECONDS = 0.25
_CREDENTIALS = struct.Struct("3i")  # struct ucred: process, user, group (unix(7))
_CLAIM_WAIT = struct.pack("ll", 0, 200_000)  # struct timeval: 0.2 s


class WorkerLost(Exception):
    """The worker ended, could not be started, or did what a worker does not do."""


class WorkerLate(Exception):
    """The worker has not warmed up in its time."""


@dataclass(frozen=True)
class StageProcess:
    """A process of ours that waits on ``requests`` for what it is to do.

    ``handle`` becomes readable when it has ended (pidfd_open(2)); ``None`` where the kernel has no such handles.
    """

    pid: int
    requests: socket.socket
    handle: int | None

    def close(self) -> None:
        """Let go of it; it runs on."""
        self.requests.close()
        if self.handle is not None:
            os.close(self.handle)


@dataclass(frozen=True)
class StagePipes:
    """What comes out of a stage: what it prints, its messages, and what its interpreter tells of the plugin."""

    output: int
    results: int
    claims: socket.socket


class WorkerLink:
    """At most one worker at a time; a lost one is replaced at the next stage.

    ``stage`` is the process that waits for the next stage's request, or runs that stage.
    """

    def __init__(self, folders: Sequence[str], watching: Watching) -> None:
        self._folders = folders
        self.watching = watching
        self._watch: Watch | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._warm = False
        self._standing: dict[str, str] = {}
        self.stage: StageProcess | None = None
        self.socket: socket.socket = self._start()

    @property
    def pid(self) -> int | None:
        """The worker's process id while it lives."""
        return self._process.pid if self._process is not None else None

    def confined(self) -> None:
        """Wait until the worker is under the inner filter, where there is one. Raises ``FilterRefused``."""
        if self._watch is not None:
            self._watch.ready()

    def ready(self, host: HostStream) -> None:
        """Have a process that waits for a stage's request, with nothing beside it but the worker.

        What the imports of the worker started is ended and written down; as process 1 of a container we then keep
        the worker stopped until it has to fork again, so that no thread of it sees a stage run. Returns at once
        where such a process waits already. Raises ``WorkerLost``, ``WorkerLate``, ``HostGone`` and
        ``StillRunning``.
        """
        if self.stage is not None:
            return
        if self._process is None:
            self._replace()
        if not self._warm:
            self._await(self.socket, host)
            if self._word() != b"warm":
                raise WorkerLost("it does not speak as a worker does")
            self._warm = True
        self.stage = self._fork(host)
        assert self.pid is not None
        end_all_but({self.pid, self.stage.pid}, self._note_left)
        self._standing = standing(self.pid)
        if not _is_ours(self.stage.pid):  # it has ended and was collected with the others
            self._forget_stage()
            raise WorkerLost("the stage's process ended before it took its request")
        release(self.stage.pid)

    def stood_still(self) -> bool:
        """Whether the worker has not run since the stage's process was made; a stage can wake it up, and is then
        written down. Always, where it is not stopped."""
        now = standing(self.pid) if self.pid is not None else {}
        if now and now != self._standing:
            self.watching.observed.note("left-running", "the worker, which ran although it was stopped")
        return now == self._standing

    @contextmanager
    def hand_over(self, request: Mapping[str, Any], descriptors: Sequence[int]) -> Iterator[StagePipes]:
        """Give the stage's process its request. The pipes are closed on leaving.

        ``descriptors`` go to the stage: the sample's, and for batches their socket and the shared files.

        Raises ``WorkerLost``.
        """
        assert self.stage is not None
        output, output_end = os.pipe()
        results, results_end = os.pipe()
        claims, claims_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        # The queue holds ten datagrams where nobody raised the limit; what is not read in time is lost.
        claims_end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _CLAIM_WAIT)
        try:
            try:
                body = json.dumps(request).encode()
                ends = [output_end, results_end, claims_end.fileno(), *descriptors]
                socket.send_fds(self.stage.requests, [body], ends)
            except OSError as reason:
                raise WorkerLost(f"the stage's process does not listen ({reason})") from None
            finally:
                os.close(output_end)
                os.close(results_end)
                claims_end.close()
            yield StagePipes(output, results, claims)
        finally:
            os.close(output)
            os.close(results)
            claims.close()
            self._forget_stage()

    def close(self) -> None:
        """End the worker."""
        self._forget_stage()
        if self._process is not None:
            self.socket.close()
            self._process.kill()
            with suppress(ChildProcessError):
                self._process.wait()
            self._process = None
        self._warm = False

    def _replace(self) -> None:
        self.socket = self._start()
        try:
            self.confined()
        except FilterRefused as reason:
            raise WorkerLost(f"a new worker could not be confined ({reason})") from None

    def _forget_stage(self) -> None:
        if self.stage is not None:
            self.stage.close()
            self.stage = None

    def _note_left(self, processes: set[int]) -> None:
        note_left_running(self.watching.observed, processes, of="an imported package's ")

    def _fork(self, host: HostStream) -> StageProcess:
        """A new process for a stage, our own child by the kernel's word. Raises as ``ready`` does."""
        assert self.pid is not None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            release(self.pid)
            with theirs:
                socket.send_fds(self.socket, [b"fork"], [theirs.fileno()])
            self._await(ours, host)
            pid = _sender(ours, b"ready")
            if pid == self.pid or not _is_ours(pid):
                raise WorkerLost("the process that it would have for a stage is none that we can watch")
            return StageProcess(pid, ours, _handle(pid))
        except BaseException as reason:
            ours.close()
            if isinstance(reason, OSError):
                raise WorkerLost(f"it made no process for the stage ({reason})") from None
            raise

    def _await(self, link: socket.socket, host: HostStream) -> None:
        """Wait until there is something on ``link``. Raises ``WorkerLost``, ``WorkerLate`` and ``HostGone``."""
        deadline = time.monotonic() + WARM_UP_SECONDS
        with selectors.DefaultSelector() as ready:
            for descriptor in {link.fileno(), self.socket.fileno(), host.descriptor}:
                ready.register(descriptor, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                found = {key.fd for key, _ in ready.select(min(left, _TICK_SECONDS))}
                reap()  # what imports start and leave would otherwise fill the container's table of processes
                if link.fileno() in found:
                    return
                if self.socket.fileno() in found:
                    raise WorkerLost("it ended, or spoke without being asked")
                if found:
                    host.look()
        raise WorkerLate

    def _word(self) -> bytes:
        try:
            return self.socket.recv(_WORD_LIMIT)
        except OSError as reason:
            raise WorkerLost(f"the worker ended or was killed ({reason})") from None

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


def _sender(link: socket.socket, wanted: bytes) -> int:
    """The process that sent the word ``wanted``, as the kernel tells it (unix(7), SCM_CREDENTIALS).

    Raises ``WorkerLost`` for another word, and ``OSError``.
    """
    word, attached, _, _ = link.recvmsg(_WORD_LIMIT, socket.CMSG_SPACE(_CREDENTIALS.size))
    told = [data for level, kind, data in attached if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)]
    if word != wanted or len(told) != 1:
        raise WorkerLost("the stage's process ended before it was ready, or does not speak as one does")
    return int(_CREDENTIALS.unpack(told[0])[0])


def _is_ours(pid: int) -> bool:
    """Whether it is a child of ours, so that its end is ours to see and its number is not used again before."""
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _handle(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:  # gVisor, and kernels before 5.3
        return None
