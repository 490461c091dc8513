"""The kernel's side of seccomp user notification: install, receive, answer.

Structures and requests: seccomp(2), seccomp_unotify(2), Linux's include/uapi/linux/seccomp.h.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import struct
from dataclasses import dataclass

_SET_MODE_FILTER = 1
# For all threads or none, with an error that can be told from a descriptor; signals do not interrupt a call that
# is being answered (5.19), which would report it twice.
_TSYNC, _NEW_LISTENER, _TSYNC_ESRCH, _WAIT_KILLABLE = 1, 8, 16, 32
_FLAG_CONTINUE = 1
_RECEIVE, _ANSWER, _STILL_VALID, _ADD_DESCRIPTOR = 0xC0502100, 0xC0182101, 0x40082102, 0x40182103
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_RESPONSE = struct.Struct("=QqiI")
_ADDITION = struct.Struct("=QIIII")
_CALLS = {"x86_64": (317, 438), "aarch64": (277, 438)}  # seccomp, pidfd_getfd


class FilterRefused(Exception):
    """The kernel did not take the inner filter, or not as it must be taken."""


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


@dataclass(frozen=True)
class Notification:
    """A call that waits for its answer: which thread made it, and its number and arguments."""

    id: int
    thread: int
    number: int
    arguments: tuple[int, ...]


def machine() -> str:
    """This machine's architecture. Raises ``FilterRefused`` for one that the filter does not know."""
    found = platform.machine()
    if found not in _CALLS:
        raise FilterRefused(f"the inner filter knows no {found}")
    return found


def install(program: bytes) -> int:
    """Install a filter on every thread of this process; the listener's descriptor. Raises ``FilterRefused``."""
    library = ctypes.CDLL(None, use_errno=True)
    request = _Program(len(program) // 8, program)
    number = _CALLS[machine()][0]
    flags = _TSYNC | _NEW_LISTENER | _TSYNC_ESRCH
    for wanted in (flags | _WAIT_KILLABLE, flags):
        listener = int(library.syscall(number, _SET_MODE_FILTER, wanted, ctypes.byref(request)))
        if listener >= 0:
            return listener
        if ctypes.get_errno() != errno.EINVAL:
            break
    raise FilterRefused(f"the kernel did not take the inner filter: {os.strerror(ctypes.get_errno())}")


def fetch(process: int, descriptor: int) -> int:
    """A copy of another process's descriptor (pidfd_getfd(2)). Raises ``FilterRefused``.

    Not sent over a socket: the call that sends it would wait for an answer from whoever waits for it.
    """
    handle = os.pidfd_open(process)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        found = int(library.syscall(_CALLS[machine()][1], handle, descriptor, 0))
    finally:
        os.close(handle)
    if found < 0:
        raise FilterRefused(f"the listener cannot be taken over: {os.strerror(ctypes.get_errno())}")
    return found


def receive(listener: int) -> Notification | None:
    """The next call that waits; ``None`` when it went away in the meantime. Raises ``OSError``."""
    buffer = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer, True)
    except OSError as reason:
        if reason.errno in (errno.ENOENT, errno.EINTR):
            return None
        raise
    identity, thread, _, number, _, _, *arguments = _NOTIFICATION.unpack(buffer)
    return Notification(identity, thread, number, tuple(arguments))


def still_waits(listener: int, call: Notification) -> bool:
    """Whether the call is still the one that was received: what was read of its process belongs to it."""
    try:
        fcntl.ioctl(listener, _STILL_VALID, struct.pack("=Q", call.id))
    except OSError:
        return False
    return True


def let_through(listener: int, call: Notification) -> None:
    """Have the kernel carry the call out. Only for what the engine's own profile allows: its arguments may have
    changed since they were read."""
    _respond(listener, _RESPONSE.pack(call.id, 0, 0, _FLAG_CONTINUE))


def refuse(listener: int, call: Notification, number: int) -> None:
    """Fail the call with an error number."""
    _respond(listener, _RESPONSE.pack(call.id, 0, -number, 0))


def pretend(listener: int, call: Notification, value: int = 0) -> None:
    """Have the call return ``value`` without being carried out."""
    _respond(listener, _RESPONSE.pack(call.id, value, 0, 0))


def hand_in(listener: int, call: Notification, descriptor: int, *, close_on_exec: bool) -> int:
    """Put a copy of our descriptor into the caller's process; its number there. Raises ``OSError``."""
    request = bytearray(_ADDITION.pack(call.id, 0, descriptor, 0, os.O_CLOEXEC if close_on_exec else 0))
    return int(
        fcntl.ioctl(listener, _ADD_DESCRIPTOR, request, True)
    )  # for a buffer that is kept Python returns it


def _respond(listener: int, response: bytes) -> None:
    try:
        fcntl.ioctl(listener, _ANSWER, response)
    except OSError as reason:
        if reason.errno not in (errno.ENOENT, errno.EINPROGRESS):  # the caller was killed meanwhile
            raise
