"""How supervisor and worker get out of the plugin's reach, and how they find what it left running."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def hide_memory(*, hidden: bool = True) -> None:
    """Make this process undumpable, or an ordinary one again.

    The kernel refuses /proc/PID/mem, /proc/PID/fd and ptrace of an undumpable process to others of the same user
    (PR_SET_DUMPABLE(2const)). Does nothing where there is no Linux.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, int(not hidden), 0, 0, 0)


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans, so that they can be found and ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


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


def descendants(root: int) -> set[int]:
    """Process ids below ``root``, by the parents that /proc shows; empty where there is no /proc."""
    parents = dict(_processes())
    found: set[int] = set()
    frontier = {root}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier} - found
        found |= frontier
    return found


def _processes() -> Iterator[tuple[int, int]]:
    """Every live process with its parent; zombies are left out, since they only wait to be reaped."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            # After the command's name, which may hold anything, come the state and the parent (proc_pid_stat(5)).
            state, parent = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state != "Z":
                yield int(entry.name), int(parent)


def reap() -> None:
    """Collect every child that has ended and that nobody waits for."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
