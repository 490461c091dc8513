"""The guest's trusted part: takes one job, has a worker run its stages, ends what they leave, reports.

It never imports plugin or third-party code. In a container it is process 1: the plugin can neither signal it nor
read its memory, and its standard output, the only way to the host, is out of the plugin's reach.
"""

from __future__ import annotations

import base64
import json
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sandbox.guest import hardening
from sandbox.guest.batchrun import STAGE as BATCHES
from sandbox.guest.batchrun import BatchRun
from sandbox.guest.exchange import approach_exchange, receive_exchange
from sandbox.guest.hoststream import HostGone, HostStream
from sandbox.guest.scratch import clear
from sandbox.guest.stagerun import StageRun
from sandbox.guest.strays import StillRunning, end_strays
from sandbox.guest.trace.kernel import FilterRefused
from sandbox.guest.trace.watch import Watching
from sandbox.guest.workerlink import WorkerLate, WorkerLink, WorkerLost
from sandbox.protocol import NOT_EMPTIED_STATUS, STILL_RUNNING_STATUS, Message

_SCRATCH = (Path("/tmp"), Path("/dev/shm"))  # noqa: S108 - the container's own, all that it can write to


def supervise(*, contained: bool, inner: str, folders: Sequence[str]) -> None:
    """Serve one job from standard input and exit; the exit status is 0 whenever every stage was reported.

    It is one of ``sandbox.protocol`` where what a stage left could not be cleared away: then no other stage runs.

    ``inner`` is the filter that the worker installs, as ``sandbox.trace.inner`` writes it, or ``-`` for none.
    ``folders`` hold the plugin's dependencies where the interpreter does not know them itself.
    """
    hardening.hide_memory()
    hardening.adopt_orphans()
    host = HostStream()
    if contained:
        hardening.ignore_signals()
    watching = Watching(None if inner == "-" else json.loads(base64.b64decode(inner)))
    meeting = approach_exchange()
    link = WorkerLink(folders, watching)  # warms up while the host still prepares the job
    try:
        try:
            if contained:
                link.confined()
                host.write(Message("waiting", {"warm": _warmed_up(link, host)}))
            _serve(link, host, meeting, contained=contained)
        finally:
            link.close()
            end_strays(None)
    except FilterRefused as reason:
        sys.exit(f"the plugin's processes could not be confined: {reason}")
    except (HostGone, BrokenPipeError):
        sys.exit("the host hung up")  # nobody listens any more: as process 1 this ends the container
    except StillRunning as reason:
        _leave(STILL_RUNNING_STATUS, reason)
    except _NotEmptied as reason:
        _leave(NOT_EMPTIED_STATUS, reason)


class _NotEmptied(Exception):
    """A folder that a stage may write to holds more than can be removed in time."""


def _leave(status: int, reason: Exception) -> NoReturn:
    print(reason, file=sys.stderr)
    sys.exit(status)


def _warmed_up(link: WorkerLink, host: HostStream) -> bool:
    """Wait until a process waits for its stage; false where that fails, which the first stage tells.

    Raises ``HostGone`` and ``StillRunning``.
    """
    try:
        link.ready(host)
    except (WorkerLost, WorkerLate):
        return False
    return True


def _serve(link: WorkerLink, host: HostStream, meeting: socket.socket, *, contained: bool) -> None:
    message = host.next()
    job = message.body
    host.seal(job.pop("key"))  # what a worker or a stage is told is taken from ``job``
    with meeting:
        exchange = receive_exchange(meeting) if job["slot_bytes"] else ()
    link.confined()
    sample = hardening.sealed_file(message.blob)
    for name in job["stages"]:
        host.write(Message("started", {"stage": name}))
        if name == BATCHES:
            stage: StageRun = BatchRun(link, job, host, exchange)
        else:
            stage = StageRun(link, name, job, sample, host)
        host.write(stage.run())
        if stage.unended is not None:
            raise stage.unended
        if contained:
            _empty_scratch(job["limits"]["clearing_seconds"])
    host.write(Message("done"))


def _empty_scratch(seconds: float) -> None:
    """Raises ``_NotEmptied``."""
    deadline = time.monotonic() + seconds
    for folder in _SCRATCH:
        if not clear(folder, deadline):
            raise _NotEmptied(f"{folder} could not be emptied within {seconds:g} s")
