"""The one module that starts programs.

Argument lists only, a deadline always, both pipes drained together, output capped, and the whole process group
ended when the deadline passes or the caller is interrupted.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import toolchain
from toolchain.core.errors import ProcessFailed

_OUTPUT_LIMIT = 4 << 20
_GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Completed:
    """How a program ended. ``returncode`` is negative for a signal; output past the limit loses its front."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the program exited with 0."""
        return self.returncode == 0


def run(
    argv: Sequence[str],
    *,
    timeout: float,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Completed:
    """Run a program to its end and return what it printed, decoded as UTF-8 with replacement.

    ``timeout`` is in seconds. Raises ``ProcessFailed`` when the program is missing or outlasts the deadline; a
    non-zero exit is returned, not raised.
    """
    started = time.monotonic()
    with spawn(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL) as process:
        outputs = [_Tail(process.stdout), _Tail(process.stderr)]
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise ProcessFailed(
                f"{Path(argv[0]).name} did not finish within {timeout:g} s",
                where=" ".join(argv[:3]),
                remedy="try again on a quieter machine; if it hangs every time, run the command by hand",
            ) from None
        # A grandchild may still hold the pipe: the program is over, so do not wait for it.
        texts = [output.finish(_GRACE_SECONDS) for output in outputs]
    return Completed(tuple(argv), process.returncode, texts[0], texts[1], time.monotonic() - started)


@contextmanager
def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int = subprocess.PIPE,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in its own session with both outputs piped; its whole group is ended on leaving.

    Raises ``ProcessFailed`` when it cannot be started.
    """
    try:
        process = subprocess.Popen(
            list(argv),
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as reason:
        raise ProcessFailed(
            f"{argv[0]} could not be started: {reason.strerror}",
            where=argv[0],
            remedy="install the program or correct the path",
        ) from reason
    try:
        yield process
    finally:
        end_group(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def own_program(module: str) -> list[str]:
    """The command that runs ``main`` of a module of ours, isolated: no Python setting of the caller counts."""
    root = str(Path(toolchain.__file__).resolve().parent.parent)
    program = f"import sys; sys.path.insert(0, {root!r}); from {module} import main; main()"
    return [sys.executable, "-I", "-c", program]


def start_daemon(argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> int:
    """Start a long-lived program in a session of its own, its output in ``log``; returns its process id.

    Raises ``ProcessFailed`` when it cannot be started or its log cannot be written.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            process = subprocess.Popen(
                list(argv),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=None if env is None else dict(env),
                start_new_session=True,
                # It would keep the caller's folder from being unmounted, and podman's conmon leaves files there.
                cwd=log.parent,
            )
    except OSError as reason:
        place = str(reason.filename or argv[0])
        raise ProcessFailed(
            f"{Path(argv[0]).name} could not be started: {reason.strerror}",
            where=place,
            remedy="install the program, or correct what its path or its log's folder lacks",
        ) from reason
    # The daemon outlives this program on purpose; without this, Popen's destructor warns about it.
    process.returncode = 0
    return process.pid


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a program started by ``spawn`` and everything in its process group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.poll() is None:
        process.kill()
        process.wait()


class _Tail:
    """Drains a pipe in a thread and keeps its last bytes."""

    def __init__(self, pipe: IO[bytes] | None, limit: int = _OUTPUT_LIMIT) -> None:
        assert pipe is not None
        self._pipe = pipe
        self._limit = limit
        self._kept = bytearray()
        self._thread = threading.Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with suppress(OSError, ValueError):
            while chunk := os.read(self._pipe.fileno(), 1 << 16):
                self._kept += chunk
                if len(self._kept) > 2 * self._limit:
                    del self._kept[: -self._limit]

    def finish(self, grace: float) -> str:
        self._thread.join(grace)
        return bytes(self._kept[-self._limit :]).decode(errors="replace")
