"""Finds and ends whatever a stage left running, so that the next one starts on clean ground."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from sandbox.guest.trace.confined import status as read_status

GONE_SECONDS = 10.0
"""How long we wait for what was killed, where no job says otherwise."""

_PAUSE_SECONDS = 0.002
_KILL_AGAIN_SECONDS = 0.25
_STOP_SECONDS = 1.0
_COUNTED = ("State", "voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")
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
    done to it is not worth finding out. A worker that is spared stays stopped until ``release``.
    """
    hold_everything()
    reap()
    if not (strays := descendants(os.getpid()) - {worker}):
        return True
    found(strays)
    if os.getpid() == 1:
        _end_everything(time.monotonic() + seconds)
        return False
    end_all_but({worker} if worker is not None else set(), seconds=seconds)
    return worker is not None


def end_all_but(
    spared: set[int],
    found: Callable[[set[int]], None] = lambda _processes: None,
    seconds: float = GONE_SECONDS,
) -> None:
    """Kill every descendant of this process but those in ``spared``. Raises as ``end_strays`` does.

    As process 1 of a container we stop everything first, and leave what is spared stopped.
    """
    deadline = time.monotonic() + seconds
    told: set[int] = set()
    while True:
        # Stopped first, so that it cannot fork between being listed and being killed.
        hold_everything()
        reap()
        if not (left := descendants(os.getpid()) - spared):
            return
        if new := left - told:
            found(new)
            told |= new
        if time.monotonic() > deadline:
            raise _still_running(left)
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in left:
                _signal(pid, number)
        time.sleep(_PAUSE_SECONDS)


def release(process: int) -> None:
    """Let a process go on that was stopped."""
    _signal(process, signal.SIGCONT)


def standing(process: int) -> dict[str, str]:
    """What the kernel counts of each thread of a process that stands still: the same until it runs again.

    Waits until all threads have stopped. Empty where we stop nobody, which only process 1 of a container does.
    """
    if os.getpid() != 1:
        return {}
    deadline = time.monotonic() + _STOP_SECONDS
    while True:
        counted = {
            name: " ".join(status.get(field, "") for field in _COUNTED) for name, status in _threads(process)
        }
        if all(line.startswith("T") for line in counted.values()) or time.monotonic() > deadline:
            return counted
        time.sleep(_PAUSE_SECONDS)


def _threads(process: int) -> Iterator[tuple[str, dict[str, str]]]:
    """The threads of a process with the fields of their status files; none of one that has ended."""
    with suppress(OSError):
        for thread in sorted(Path(f"/proc/{process}/task").iterdir()):
            yield thread.name, read_status(thread)


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


def reap() -> dict[int, tuple[int, int]]:
    """Collect every child that has ended: exit status, negative for a signal, and peak of memory in bytes."""
    ended: dict[int, tuple[int, int]] = {}
    with suppress(ChildProcessError):
        while (child := os.wait4(-1, os.WNOHANG))[0]:
            pid, status, usage = child
            ended[pid] = os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024  # counted in KiB (getrusage(2))
    return ended


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
