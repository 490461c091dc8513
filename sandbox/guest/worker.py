"""The worker: imports the heavy libraries once, then forks one process for each stage.

Forking a process that has pandas loaded costs milliseconds where a new interpreter costs most of a second
(measured: pandas 426 ms, pyarrow 151 ms). The stages stay apart: what one does to its memory the next never sees.
The first stage's process is there before anybody asks for it, so that a job need not wait for the fork either.
"""

from __future__ import annotations

import gc
import json
import os
import re
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

from sandbox.guest import hardening
from sandbox.guest.trace.watch import confine

_REQUEST_LIMIT = 1 << 16
_DESCRIPTORS = 7  # output, results, claims, sample; for batches their socket and two shared files
# The plugin's heavy libraries first, then what our own stages import; not pytest: its presence tells a library
# that it is being tested.
_WARM = (
    "pydantic",
    "numpy",
    "pandas",
    "pyarrow",
    "pyarrow.compute",
    "engine.executors.local",
    "sandbox.guest.stages.samples",
    "sandbox.guest.stages.realtime",
    "sandbox.guest.trace.hook",
)


def serve(descriptor: int, watcher: int, folders: list[str]) -> None:
    """Warm up with what ``folders`` offer, say so, then have a process for each request until the socket closes.

    ``watcher`` is the socket over which the worker is put under the inner filter, before any code of others runs.
    """
    link = socket.socket(fileno=descriptor)
    hardening.die_with_parent()
    hardening.prefer_as_victim()  # before hiding: afterwards /proc/self belongs to root
    confine(watcher)
    sys.path.extend(folders)
    watch = json.loads(link.recv(_REQUEST_LIMIT))["watch"]
    _warm_up(watch)
    # Only now, with the stages still to come: of what the imports ask of the kernel process 1 reads the arguments.
    hardening.hide_memory()
    stage = _fork(link, watch)
    with suppress(ConnectionError):  # process 1 hung up
        link.send(b'{"type": "warm"}')
        while True:
            _see_through(stage, link)
            # The next process only when it is asked for: until then process 1 ends all but the worker.
            if not link.recv(1, socket.MSG_PEEK):
                return
            stage = _fork(link, watch)


def _see_through(stage: int, link: socket.socket) -> None:
    """Wait for a stage's end and tell process 1. Raises ``ConnectionError``."""
    _, status, usage = os.wait4(stage, 0)
    # ru_maxrss counts kibibytes on Linux and bytes on macOS (getrusage(2)).
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    ended = {"type": "ended", "status": os.waitstatus_to_exitcode(status), "peak_memory_bytes": peak}
    link.send(json.dumps(ended).encode())


def _fork(link: socket.socket, watch: dict[str, Any] | None) -> int:
    """Fork a process that takes one request from ``link`` and becomes that stage; its id."""
    pid = os.fork()
    if pid:
        return pid
    code = 70
    try:
        _become_ordinary()
        data, descriptors, _, _ = socket.recv_fds(link, _REQUEST_LIMIT, _DESCRIPTORS)
        if data:
            link.send(b'{"type": "started"}')
            link.close()
            hardening.hide_memory(hidden=False)  # the plugin's own process is an ordinary one
            code = _run_stage(json.loads(data), watch, *descriptors)
    except BaseException as failure:  # noqa: BLE001 - shown in the stage's output; the missing result says the rest
        sys.excepthook(type(failure), failure, failure.__traceback__)
    finally:
        # Left without unwinding into the worker's loop.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _warm_up(watch: dict[str, Any] | None) -> None:
    for name in _WARM:
        with suppress(Exception):  # what is wrong shows, explained, in the stage that needs it
            import_module(name)
    if watch is not None:
        re.compile(watch["sensitive"])  # 2 ms; the module remembers it for the stages' hooks
    # What is there now stays: a collection in a stage would otherwise touch, and so copy, every page of it.
    gc.collect()
    gc.freeze()


def _become_ordinary() -> None:
    """In the new process, before it knows its request: what no request changes."""
    os.setsid()
    hardening.die_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)


def _run_stage(request: dict[str, Any], watch: dict[str, Any] | None, *handed: int) -> int:
    """Set up what the stage prints to and who watches it, and run it; its exit status."""
    output, results, claims, *rest = handed
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    from sandbox.guest.stages import run
    from sandbox.guest.trace.hook import Hook

    if watch is not None:
        Hook(request["plugin"]["root"], claims, watch).install()
    return run(request, results, rest)
