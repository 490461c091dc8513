"""The worker: imports the heavy libraries once, then forks one process for each stage.

Forking a process that has pandas loaded costs milliseconds where a new interpreter costs most of a second
(measured: pandas 426 ms, pyarrow 151 ms). The stages stay apart: what one does to its memory the next never sees.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

from sandbox.guest import hardening
from sandbox.guest.trace.watch import confine

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
    """Warm up with what ``folders`` offer, then fork a process for each request until the socket is closed.

    ``watcher`` is the socket over which the worker is put under the inner filter, before any code of others runs.
    """
    link = socket.socket(fileno=descriptor)
    hardening.die_with_parent()
    hardening.prefer_as_victim()  # before hiding: afterwards /proc/self belongs to root
    confine(watcher)
    sys.path.extend(folders)
    _warm_up()
    # Only now, with the stages still to come: of what the imports ask of the kernel process 1 reads the arguments.
    hardening.hide_memory()
    while True:
        data, descriptors, _, _ = socket.recv_fds(link, 1 << 16, _DESCRIPTORS)
        if not data:
            return
        request = json.loads(data)
        pid = os.fork()
        if pid == 0:
            link.close()
            _run_stage(request, *descriptors)
        for inherited in descriptors:
            os.close(inherited)
        link.send(json.dumps({"type": "started", "pid": pid}).encode())
        _, status, usage = os.wait4(pid, 0)
        # ru_maxrss counts kibibytes on Linux and bytes on macOS (getrusage(2)).
        peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        ended = {"type": "ended", "status": os.waitstatus_to_exitcode(status), "peak_memory_bytes": peak}
        link.send(json.dumps(ended).encode())


def _warm_up() -> None:
    for name in _WARM:
        with suppress(Exception):  # what is wrong shows, explained, in the stage that needs it
            import_module(name)
    # What is there now stays: a collection in a stage would otherwise touch, and so copy, every page of it.
    gc.collect()
    gc.freeze()


def _run_stage(request: dict[str, Any], output: int, results: int, claims: int, *handed: int) -> None:
    """In the new process: set up descriptors, run the stage, leave without unwinding into the worker's loop."""
    code = 70
    try:
        os.setsid()
        hardening.die_with_parent()
        hardening.hide_memory(hidden=False)  # the plugin's own process is an ordinary one
        signal.signal(signal.SIGINT, signal.default_int_handler)
        nowhere = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nowhere, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        from sandbox.guest.stages import run
        from sandbox.guest.trace.hook import Hook

        if request["watch"] is not None:
            Hook(request["plugin"]["root"], claims, request["watch"]).install()
        code = run(request, results, handed)
    except BaseException as failure:  # noqa: BLE001 - shown in the stage's output; the missing result says the rest
        sys.excepthook(type(failure), failure, failure.__traceback__)
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
