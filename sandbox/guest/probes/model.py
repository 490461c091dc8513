"""What a probe is, and how one is tried: in a process of its own, within a deadline."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import select
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

WORKS = "works"
ABSENT = "absent"
EMPTY = "empty"
NO_SUCH_ABI = "no such convention here"
STILL_RUNNING = "still running"

_SECONDS = 30.0
_LIMIT = 4096


@dataclass(frozen=True)
class Probe:
    """One attempt, made inside a container as a plugin would make it.

    ``wall`` groups probes, ``what`` says in words what is tried, ``expected`` holds the outcomes that are right:
    names of errors (``EPERM``), of signals that end the process (``SIGSYS``), ``works``, or a word of the probe's
    own such as ``empty``; ``why`` is what depends on it. ``attempt`` returns nothing for ``works``, or a word, and
    may raise ``OSError``. ``package`` must be importable, else the outcome is ``absent``. ``bound`` names the
    field of the policy that the number in an outcome such as ``ENOSPC after 4096`` must not exceed.
    """

    id: str
    wall: str
    what: str
    expected: tuple[str, ...]
    why: str
    attempt: Callable[[], str | None]
    package: str | None = None
    bound: str | None = None


def outcome(probe: Probe) -> str:
    """Try a probe in a child process, so that one that dies, hangs or spoils its process tells of itself alone."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.setsid()
        with suppress(OSError):
            os.write(writing, _told(probe).encode(errors="replace")[:_LIMIT])
        os._exit(0)
    os.close(writing)
    told = _read(reading, time.monotonic() + _SECONDS)
    os.close(reading)
    if told is None:
        os.kill(child, signal.SIGKILL)
    status = os.waitpid(child, 0)[1]
    if told is None:
        return f"{STILL_RUNNING} after {_SECONDS:g} s"
    return told or _ending(status)


def raw(number: int | None, *arguments: Any) -> int:
    """What a system call by its number returns. Raises ``OSError`` with its errno; ``None`` stands for none."""
    if number is None:
        raise OSError(errno.ENOSYS, "this architecture has no such call")
    library = ctypes.CDLL(None, use_errno=True)
    ctypes.set_errno(0)
    if (value := int(library.syscall(ctypes.c_long(number), *map(_word, arguments)))) == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return value


def machine() -> int:
    """0 on x86_64, 1 on aarch64: the place of a call's number in a pair of them."""
    return 0 if platform.machine() == "x86_64" else 1


def _word(value: Any) -> Any:
    return ctypes.c_long(value) if isinstance(value, int) else value


def _told(probe: Probe) -> str:
    try:
        if probe.package is not None:
            try:
                __import__(probe.package)
            except ModuleNotFoundError:
                return ABSENT
        return probe.attempt() or WORKS
    except socket.gaierror:
        return "gaierror"  # its numbers are no errnos
    except OSError as reason:
        return errno.errorcode.get(reason.errno or 0, f"failed: {reason!r}")
    except BaseException as failure:  # noqa: BLE001 - whatever it is, the host is told
        return f"failed: {type(failure).__name__}: {failure}"


def _ending(status: int) -> str:
    number = os.waitstatus_to_exitcode(status)
    with suppress(ValueError):
        return signal.Signals(-number).name
    return f"ended with status {number}"


def _read(descriptor: int, deadline: float) -> str | None:
    """What is written until the other end closes; ``None`` when that is not in time."""
    heard = b""
    while (left := deadline - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            chunk = os.read(descriptor, _LIMIT)
            if not chunk:
                return heard.decode(errors="replace")
            heard += chunk
    return None
