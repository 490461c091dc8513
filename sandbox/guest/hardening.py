"""How supervisor and worker get out of the plugin's reach."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def hide_memory(*, hidden: bool = True) -> None:
    """Make this process undumpable, or an ordinary one again.

    The kernel refuses /proc/PID/mem, /proc/PID/fd and ptrace of an undumpable process to others of the same user
    (PR_SET_DUMPABLE(2const)). Does nothing where there is no Linux.
    """
    _prctl(_PR_SET_DUMPABLE, int(not hidden))


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans, so that they can be found and ended."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, however that comes about."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def ignore_signals() -> None:
    """Leave no handler that a plugin could trigger.

    The kernel drops signals to process 1 of a PID namespace that come from inside and have no handler, SIGKILL
    included (pid_namespaces(7)); Python's own SIGINT handler would be such a hole.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)


def prefer_as_victim() -> None:
    """Offer this process to the kernel first when memory runs out, before the supervisor."""
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def sealed_file(data: bytes) -> int:
    """A descriptor on ``data`` that no stage can change for the next one (memfd_create(2), sealing).

    Where the kernel has no sealing, an unnamed temporary file has to do.
    """
    if not hasattr(os, "memfd_create"):
        with tempfile.TemporaryFile() as file:
            file.write(data)
            file.flush()
            return os.dup(file.fileno())
    import fcntl

    descriptor = os.memfd_create("sample", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
    return descriptor


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)
