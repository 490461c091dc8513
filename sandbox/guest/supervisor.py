"""The guest's trusted part: takes one job, has a worker run its stages, ends what they leave, reports.

It never imports plugin or third-party code. In a container it is process 1: the plugin can neither signal it nor
read its memory, and its standard output, the only way to the host, is out of the plugin's reach.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from sandbox.guest import hardening
from sandbox.guest.scratch import clear
from sandbox.guest.stagerun import HostGone, StageRun
from sandbox.guest.strays import end_strays
from sandbox.guest.trace.kernel import FilterRefused
from sandbox.guest.trace.watch import Watching
from sandbox.guest.workerlink import WorkerLink
from sandbox.protocol import Decoder, Message, encode_head

_CHUNK = 1 << 16
_SCRATCH = (Path("/tmp"), Path("/dev/shm"))  # noqa: S108 - the container's own, all that it can write to


def supervise(*, contained: bool, inner: str, folders: Sequence[str]) -> None:
    """Serve one job from standard input and exit; the exit status is 0 whenever every stage was reported.

    ``inner`` is the filter that the worker installs, as ``sandbox.trace.inner`` writes it, or ``-`` for none.
    ``folders`` hold the plugin's dependencies where the interpreter does not know them itself.
    """
    hardening.hide_memory()
    hardening.adopt_orphans()
    source, sink = _claim_streams()
    if contained:
        hardening.ignore_signals()
    watching = Watching(None if inner == "-" else json.loads(base64.b64decode(inner)))
    link = WorkerLink(folders, watching)  # warms up while the host still prepares the job
    try:
        job = _read_job(source)
        link.confined()
        sample = hardening.sealed_file(job.blob)
        for name in job.body["stages"]:
            _write(sink, Message("started", {"stage": name}))
            _write(sink, StageRun(link, name, job.body, sample, source).run())
            for folder in _SCRATCH if contained else ():
                clear(folder)
        _write(sink, Message("done"))
    except FilterRefused as reason:
        sys.exit(f"the plugin's processes could not be confined: {reason}")
    except (HostGone, BrokenPipeError):
        sys.exit("the host hung up")  # nobody listens any more: as process 1 this ends the container
    finally:
        link.close()
        end_strays(None)


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
    raise HostGone


def _write(sink: int, message: Message) -> None:
    for part in (encode_head(message), message.blob):  # apart: a blob may be half a gigabyte
        data = memoryview(part)
        while data:
            data = data[os.write(sink, data) :]
