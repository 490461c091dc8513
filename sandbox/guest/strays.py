"""Finds and ends whatever a stage left running, so that the next one starts on clean ground."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

GONE_SECONDS = 10.0
"""How long we wait for what was killed, where no job says otherwise."""

_PAUSE_SECONDS = 0.002
_KILL_AGAIN_SECONDS = 0.25
_THREADS = 17  # num_threads, counted from the state (proc_pid_stat(5))


class StillRunning(Exception):
    """The kernel has not ended what was killed: the ground is not clean."""


def hold_everything() -> None:
    """As process 1 of a container, stop all others: what then has to end is not kept from the processor."""
    if os.getpid() == 1:
        _signal(-1, signal.SIGSTOP)


def end_strays(
    worker: int | None,
    found: Callable[[set[int]], None] = lambda _processes: None,
    seconds: float = GONE_SECONDS,
) -> bool:
    """Kill every descendant of this process but ``worker``; whether the worker was spared.

    ``found`` hears which there are, if any, before they are killed. Raises ``StillRunning`` when one is still
    there after ``seconds``.

    As process 1 of a container we first stop everything: one ``kill(-1)`` reaches all other processes in a step
    that no fork outruns, since a process with a signal pending cannot fork, so the list that /proc then shows
    holds still. When it shows a stray, a second such step kills all, the worker with them: what a stray may have
    done to it is not worth finding out.
    """
    everything = os.getpid() == 1
    hold_everything()
    reap()
    if not (strays := descendants(os.getpid()) - {worker}):
        if everything and worker is not None:
            _signal(worker, signal.SIGCONT)
        return True
    found(strays)
    deadline = time.monotonic() + seconds
    if everything:
        _end_everything(deadline)
        return False
    spared = {worker} if worker is not None else set()
    while (left := descendants(os.getpid()) - spared) and time.monotonic() < deadline:
        # Stopped first, so that it cannot fork between being listed and being killed.
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                _signal(pid, number)
        time.sleep(_PAUSE_SECONDS)
        reap()
    if left:
        raise _still_running(left)
    return bool(spared)


def _end_everything(deadline: float) -> None:
    """As process 1: kill all others and wait for them; each becomes a child of ours when its parent has ended.

    Hundreds take a second to end, most of it the kernel's work on their memory: we do not look on meanwhile, which
    would take the processor from them.
    """
    while time.monotonic() < deadline:
        _signal(-1, signal.SIGKILL)
        again = time.monotonic() + _KILL_AGAIN_SECONDS
        while time.monotonic() < again:
            try:
                if not os.waitpid(-1, os.WNOHANG)[0]:
                    time.sleep(_PAUSE_SECONDS)
            except ChildProcessError:
                return
    raise _still_running(descendants(os.getpid()))


def _still_running(processes: set[int]) -> StillRunning:
    return StillRunning(f"{len(processes)} processes that were killed have not ended")


def descendants(root: int) -> set[int]:
    """Process ids below ``root``, by the parents that /proc shows; empty where there is no /proc."""
    parents = dict(_processes())
    found: set[int] = set()
    frontier = {root}
    while frontier:
        frontier = {child for child, parent in parents.items() if parent in frontier} - found
        found |= frontier
    return found


def reap() -> None:
    """Collect every child that has ended and that nobody waits for."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def _processes() -> Iterator[tuple[int, int]]:
    """Every live process with its parent; zombies are left out, since they only wait to be reaped.

    One whose first thread has ended looks like a zombie while its other threads go on: it is live.
    """
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, ValueError, IndexError):
            # After the command's name, which may hold anything, come the state and the parent (proc_pid_stat(5)).
            fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] != "Z" or int(fields[_THREADS]) > 1:
                yield int(entry.name), int(fields[1])


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
