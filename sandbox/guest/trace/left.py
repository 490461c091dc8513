"""What a stage left running when it ended, with the processor time that it took."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sandbox.guest.trace.ledger import Ledger

_TICKS = os.sysconf("SC_CLK_TCK")


def note_left_running(ledger: Ledger, processes: Iterable[int], *, of: str = "") -> None:
    """Write down ``processes`` by the kernel's own links and counters, one line a program; ``of`` says whose."""
    programs: dict[str, tuple[int, float]] = {}
    for process in processes:
        with suppress(OSError, ValueError, IndexError):
            program = _program(process)
            # Of what follows the name, the user's and the system's ticks are the 12th and 13th (proc_pid_stat(5)).
            stat = Path(f"/proc/{process}/stat").read_text(errors="replace").rpartition(")")[2].split()
            count, seconds = programs.get(program, (0, 0.0))
            programs[program] = (count + 1, seconds + (int(stat[11]) + int(stat[12])) / _TICKS)
    for program, (count, seconds) in programs.items():
        ledger.note(
            "left-running", f"{of}{program}, still running after {seconds:.1f} s of processor time", count=count
        )


def _program(process: int) -> str:
    """What a process runs; the kernel does not tell of one whose first thread has ended while others go on."""
    try:
        return os.readlink(f"/proc/{process}/exe")  # noqa: PTH115 - may end in " (deleted)"
    except FileNotFoundError:
        return "a process whose first thread has ended"
