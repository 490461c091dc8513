"""The worker: imports the heavy libraries once, then forks one process for each stage.

Forking a process that has pandas loaded costs milliseconds where a new interpreter costs most of a second
(measured: pandas 426 ms, pyarrow 151 ms). The stages stay apart: what one does to its memory the next never sees.

What is imported may run code of a dependency here, which may be hostile: process 1 believes the worker nothing.
A stage's process is made its child, whose end it sees itself, and the worker stands still while stages run.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from importlib import import_module
from typing import Any

from sandbox.guest import hardening
from sandbox.guest.trace.hook import Hook
from sandbox.guest.trace.watch import confine

_NO_PLUGINS = "PYDANTIC_DISABLE_PLUGINS"
_REQUEST_LIMIT = 1 << 16
_ADOPTION_SECONDS = 0.0005  # how often a stage looks whether the process between has ended
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
)


def serve(descriptor: int, watcher: int, folders: list[str]) -> None:
    """Warm up with what ``folders`` offer, say so, then fork a process whenever asked until the socket closes.

    ``watcher`` is the socket over which the worker is put under the inner filter, before any code of others runs.
    """
    link = socket.socket(fileno=descriptor)
    hardening.die_with_parent()
    hardening.prefer_as_victim()  # before hiding: afterwards /proc/self belongs to root
    confine(watcher)
    sys.path.extend(folders)
    watch = json.loads(link.recv(_REQUEST_LIMIT))["watch"]
    hook = Hook(watch) if watch is not None else None
    if hook is not None:
        hook.install()
    _warm_up()
    # Only now, with the stages still to come: of what the imports ask of the kernel process 1 reads the arguments.
    hardening.hide_memory()
    with suppress(ConnectionError):  # process 1 hung up
        link.send(b"warm")
        while (asked := socket.recv_fds(link, _REQUEST_LIMIT, 1, socket.MSG_CMSG_CLOEXEC))[0]:
            with socket.socket(fileno=asked[1][0]) as requests:
                _fork(link, requests, hook)


def _fork(link: socket.socket, requests: socket.socket, hook: Hook | None) -> None:
    """Fork a process that takes one request and becomes that stage, as an orphan, which process 1 adopts."""
    between = os.fork()
    if between:
        os.waitpid(between, 0)
        return
    code = 70
    try:
        parent = os.getpid()
        if not os.fork():
            link.close()
            code = _become_stage(parent, requests, hook)
    except BaseException as failure:  # noqa: BLE001 - shown in the stage's output; the missing result says the rest
        sys.excepthook(type(failure), failure, failure.__traceback__)
    finally:
        # Left without unwinding into the worker's loop.
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _become_stage(parent: int, requests: socket.socket, hook: Hook | None) -> int:
    """Once adopted by process 1, take a request and run its stage; the exit status."""
    _become_ordinary(parent)
    requests.send(b"ready")
    data, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_LIMIT, _DESCRIPTORS)
    requests.close()
    if not data:
        return 0
    hardening.hide_memory(hidden=False)  # the plugin's own process is an ordinary one
    return _run_stage(json.loads(data), hook, *descriptors)


def _warm_up() -> None:
    # Its plugins are code of whoever offers one: they are loaded in the stages that need pydantic.
    said = os.environ.get(_NO_PLUGINS)
    os.environ[_NO_PLUGINS] = "__all__"
    for name in _WARM:
        with suppress(Exception):  # what is wrong shows, explained, in the stage that needs it
            import_module(name)
    os.environ.pop(_NO_PLUGINS, None)
    if said is not None:
        os.environ[_NO_PLUGINS] = said
    # What is there now stays: a collection in a stage would otherwise touch, and so copy, every page of it.
    gc.collect()
    gc.freeze()


def _become_ordinary(parent: int) -> None:
    """In the new process, before it knows its request: what no request changes."""
    os.setsid()
    while os.getppid() == parent:
        time.sleep(_ADOPTION_SECONDS)
    hardening.die_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    nowhere = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nowhere, 0)
    os.close(nowhere)


def _run_stage(request: dict[str, Any], hook: Hook | None, *handed: int) -> int:
    """Set up what the stage prints to and who watches it, and run it; its exit status."""
    output, results, claims, *rest = handed
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    from sandbox.guest.stages import run

    if hook is not None:
        hook.begin(request["plugin"]["root"], claims)
    return run(request, results, rest)
