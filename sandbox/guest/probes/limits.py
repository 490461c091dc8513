"""Limits: tried until they hold; the outcome is the error and how much there was by then."""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from sandbox.guest.probes.model import Probe

_SCRATCH, _SHARED = Path("/tmp"), Path("/dev/shm")
_CHUNK = 1 << 16
# Well beyond the limits that probes run under (sandbox.probes.run), and harmless where there are none.
_BYTES, _FILES, _TASKS, _DESCRIPTORS, _MEMORY = 64 << 20, 4096, 128, 4096, 4 << 30
_SPINS, _SPIN_SECONDS, _SPINNERS = 10, 0.3, 2


def until(tried: int, step: Callable[[], int]) -> str:
    """``step`` again and again, up to ``tried`` of its units: how it ends, and after how many."""
    done = 0
    try:
        while done < tried:
            done += step()
    except OSError as reason:
        return f"{errno.errorcode.get(reason.errno or 0, reason)} after {done}"
    return f"nothing after {done}"


def _fill(folder: Path) -> Callable[[], str]:
    def attempt() -> str:
        with (folder / "fill").open("wb", buffering=0) as file:
            try:
                return until(_BYTES, lambda: file.write(bytes(_CHUNK)))
            finally:
                file.truncate(0)

    return attempt


def _sparse() -> str:
    """A file that says it is large takes no memory until it is written."""
    with (_SCRATCH / "sparse").open("wb", buffering=0) as file:
        file.truncate(1 << 40)
        try:
            return until(_BYTES, lambda: file.write(bytes(_CHUNK)))
        finally:
            file.truncate(0)


def _files() -> str:
    folder = _SCRATCH / "many"
    folder.mkdir()
    made: list[Path] = []

    def step() -> int:
        made.append(folder / str(len(made)))
        made[-1].touch()
        return 1

    try:
        return until(_FILES, step)
    finally:
        for path in made:
            path.unlink(missing_ok=True)
        folder.rmdir()


def _forks() -> str:
    reading, writing = os.pipe()
    children: list[int] = []

    def step() -> int:
        child = os.fork()
        if child == 0:
            os.close(writing)
            os.read(reading, 1)  # ends when the probe closes its end
            os._exit(0)
        children.append(child)
        return 1

    try:
        return until(_TASKS, step)
    finally:
        os.close(writing)
        for child in children:
            os.waitpid(child, 0)


def _threads() -> str:
    done = threading.Event()
    threads: list[threading.Thread] = []

    def step() -> int:
        thread = threading.Thread(target=done.wait)
        try:
            thread.start()
        except RuntimeError:
            raise OSError(errno.EAGAIN, "no more threads") from None
        threads.append(thread)
        return 1

    try:
        return until(_TASKS, step)
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _descriptors() -> str:
    held: list[int] = []

    def step() -> int:
        held.append(os.open("/dev/null", os.O_RDONLY))
        return 1

    try:
        return until(_DESCRIPTORS, step)
    finally:
        for descriptor in held:
            os.close(descriptor)


def _processor() -> str:
    """Busy loops until the quota is seen to hold them back; else the processors that they got, in hundredths.

    On a busy machine they get less than the quota anyway; where the control group is not in sight, that is all.
    """
    share = 0.0
    for _ in range(_SPINS):
        before, began = _throttled(), time.monotonic()
        used = _spin()
        share = used / (time.monotonic() - began)
        if (after := _throttled()) is None or before is None:
            break
        if after > before:
            return "held back"
    return f"unhindered after {round(share * 100)}"


def _spin() -> float:
    """Processor seconds that some busy children got."""
    children = []
    for _ in range(_SPINNERS):
        child = os.fork()
        if child == 0:
            end = time.monotonic() + _SPIN_SECONDS
            while time.monotonic() < end:
                pass
            os._exit(0)
        children.append(child)
    return sum(usage.ru_utime + usage.ru_stime for _, _, usage in (os.wait4(child, 0) for child in children))


def _throttled() -> int | None:
    """``nr_throttled`` of this control group, version 2 or 1."""
    for name in ("cpu.stat", "cpu/cpu.stat", "cpu,cpuacct/cpu.stat"):
        with suppress(OSError):
            pairs = (line.split() for line in (Path("/sys/fs/cgroup") / name).read_text().splitlines())
            return next((int(value) for key, value in pairs if key == "nr_throttled"), None)
    return None


def _memory() -> str:
    held: list[bytearray] = []

    def step() -> int:
        held.append(bytearray(b"x") * (16 << 20))
        return 16 << 20

    return until(_MEMORY, step)


LIMITS: tuple[Probe, ...] = (
    Probe("limits.scratch", "limits", "filling /tmp", ("ENOSPC",), "it is memory", _fill(_SCRATCH),
          bound="scratch"),
    Probe("limits.sparse", "limits", "filling a sparse file of a tebibyte", ("ENOSPC",),
          "its holes are free, what is written is not", _sparse, bound="scratch"),
    Probe("limits.files", "limits", "making files in /tmp", ("ENOSPC",),
          "empty files take the kernel's memory", _files, bound="scratch_inodes"),
    Probe("limits.shared-memory", "limits", "filling /dev/shm", ("ENOSPC",), "it is memory", _fill(_SHARED),
          bound="shared_memory"),
    Probe("limits.forks", "limits", "starting processes", ("EAGAIN",), "a fork bomb ends here", _forks,
          bound="processes"),
    Probe("limits.threads", "limits", "starting threads", ("EAGAIN",), "threads count as processes", _threads,
          bound="processes"),
    Probe("limits.descriptors", "limits", "opening files", ("EMFILE",), "the kernel's memory again", _descriptors,
          bound="open_files"),
    Probe("limits.processor", "limits", "two busy loops", ("held back", "unhindered"),
          "what is left of the machine stays usable", _processor, bound="cpus"),
)  # fmt: skip

MEMORY = Probe(
    "limits.memory", "limits", "taking memory", ("out of memory",),
    "the kernel ends what takes too much, and the engine says that it was so", _memory,
)  # fmt: skip
"""Tried as a stage of its own, after all others: what it ends may be the container."""
