"""An engine of our own, started when no other answers: it survives the CLI and is found again next time."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from toolchain.core import process
from toolchain.core.containers.model import EngineKind
from toolchain.core.containers.options import ConnectOptions
from toolchain.core.containers.paths import PrivatePaths, private_paths, require_own
from toolchain.core.containers.probe import Ping, State, ping_socket
from toolchain.core.containers.programs import Program
from toolchain.core.errors import EngineUnavailable

_KINDS: tuple[EngineKind, ...] = ("docker", "podman")
_READY_SECONDS = 30.0
# dockerd gives its containers 15 s to end before it ends itself.
_STOP_SECONDS = 20.0
_LOG_TAIL_LINES = 8


@dataclass(frozen=True)
class PrivateEngine:
    """A private engine that runs; ``ping`` tells whether it also answers."""

    kind: EngineKind
    pid: int
    address: str
    log: Path
    ping: Ping


@dataclass(frozen=True)
class Stopped:
    """A private engine that was ended: its kind, process id, and whether it had to be killed."""

    kind: EngineKind
    pid: int
    killed: bool


def ping_private(kind: EngineKind, options: ConnectOptions) -> Ping:
    """Whether the private engine of this kind is up."""
    return ping_socket(private_paths(kind, options).socket, options.ping_seconds)


def start_private(program: Program, options: ConnectOptions) -> tuple[Ping, bool]:
    """Have a private engine run: its answered ping, and whether it was this call that started it.

    Two callers at once start one engine (an advisory lock beside the log). Raises ``EngineUnavailable`` with the
    last lines of the engine's log when it does not answer within 30 s or ends before; what was started is ended.
    The same when our own folders cannot be written; ``ProcessFailed`` when the program cannot be started at all.
    """
    paths = private_paths(program.kind, options)
    with _own_files(paths):
        return _start_once(program, paths, options)


def _start_once(program: Program, paths: PrivatePaths, options: ConnectOptions) -> tuple[Ping, bool]:
    for folder in (paths.log.parent, paths.run):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    require_own(paths.run)
    with _locked(paths.lock):
        ping = ping_socket(paths.socket, options.ping_seconds)
        if ping.state is State.ANSWERS:
            return ping, False
        if ping.state is State.SILENT:
            raise EngineUnavailable(
                f"our {program.name} is running but does not answer: {ping.detail}",
                where=str(paths.socket),
                remedy="run `mixpeek engine stop`, then the same command again",
            )
        return _start(program, paths, options), True


def running_private_engines(options: ConnectOptions) -> tuple[PrivateEngine, ...]:
    """The engines that ``connect`` started for this state folder and that still run; starts nothing."""
    running = []
    for kind in _KINDS:
        paths = private_paths(kind, options)
        pid = private_pid(paths)
        if pid is not None:
            ping = ping_socket(paths.socket, options.ping_seconds)
            running.append(PrivateEngine(kind, pid, f"unix://{paths.socket}", paths.log, ping))
    return tuple(running)


def stop_private(kind: EngineKind, options: ConnectOptions) -> Stopped | None:
    """End the private engine of one kind with what it runs; ``None`` when there is none.

    Images and the build cache stay. An engine that outlasts 20 s after SIGTERM is killed.
    """
    paths = private_paths(kind, options)
    if not paths.log.parent.is_dir():
        return None
    with _locked(paths.lock):
        pid = private_pid(paths)
        killed = pid is not None and _end(pid, paths)
        # One that answers and is not ours by its process id is not ours to clean up after.
        if ping_socket(paths.socket, options.ping_seconds).state is State.ABSENT:
            _clear(paths)
    return None if pid is None else Stopped(kind, pid, killed)


def stop_private_engine(options: ConnectOptions) -> tuple[Stopped, ...]:
    """End every private engine that ``connect`` started for this state folder; empty when none runs."""
    return tuple(stopped for kind in _KINDS if (stopped := stop_private(kind, options)) is not None)


def private_pid(paths: PrivatePaths) -> int | None:
    """The engine's process id, checked against its command line: ids are reused after a crash or a reboot."""
    try:
        pid = int(paths.pidfile.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if bytes(paths.socket) in command else None


def _start(program: Program, paths: PrivatePaths, options: ConnectOptions) -> Ping:
    # A stale pid file whose number now belongs to somebody else makes dockerd refuse to start, and makes it take
    # that process for its containerd and wait for it.
    for stale in (paths.pidfile, paths.socket, paths.exec_root / "containerd/containerd.pid"):
        stale.unlink(missing_ok=True)
    if program.configuration:
        paths.configuration.write_text(program.configuration)
    begin = paths.log.stat().st_size if paths.log.exists() else 0
    pid = process.start_daemon(program.argv(paths), log=paths.log, env=program.environment(options.environment))
    try:
        if not program.writes_pidfile:
            paths.pidfile.write_text(f"{pid}\n")
        ping = _wait_ready(program, paths, pid, begin)
        paths.socket.chmod(0o600)
    except BaseException:
        _end(pid, paths)
        raise
    return ping


def _wait_ready(program: Program, paths: PrivatePaths, pid: int, log_begin: int) -> Ping:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        ping = ping_socket(paths.socket, 1.0)
        if ping.state is State.ANSWERS:
            return ping
        if _gone(pid):
            raise _failed(program, "ended at once", paths.log, log_begin)
        if time.monotonic() > deadline:
            raise _failed(program, f"did not answer within {_READY_SECONDS:g} s", paths.log, log_begin)
        time.sleep(0.02)


def _failed(program: Program, what: str, log: Path, begin: int) -> EngineUnavailable:
    with log.open("rb") as file:
        file.seek(begin)
        lines = file.read().decode(errors="replace").strip().splitlines()
    tail = "\n    ".join(lines[-_LOG_TAIL_LINES:]) or "(it wrote nothing)"
    return EngineUnavailable(
        f"{program.name} {what}; its last words:\n    {tail}",
        where=str(log),
        remedy=f"remove the reason above, or start an engine yourself; by hand: `{program.by_hand}`",
    )


def _gone(pid: int) -> bool:
    """Whether a process has ended; our own child is reaped on the way, so that it does not stay a zombie."""
    with suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    # Not our child. One that has ended but whose parent does not ask stays in the table as a zombie.
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return True
    return status.rpartition(")")[2].split()[0] in {"Z", "X"}


def _end(pid: int, paths: PrivatePaths) -> bool:
    """SIGTERM, then after 20 s SIGKILL, to the engine and the containerd it left; whether it had to be killed."""
    deadline = time.monotonic() + _STOP_SECONDS
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    while not _gone(pid):
        if time.monotonic() > deadline:
            # start_daemon gave it a session of its own: the group is dockerd and its containerd.
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            _end_containerd(paths)
            return True
        time.sleep(0.02)
    return False


def _end_containerd(paths: PrivatePaths) -> None:
    with suppress(OSError, ValueError):
        pid = int((paths.exec_root / "containerd/containerd.pid").read_text())
        if bytes(paths.run) in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGKILL)


def _clear(paths: PrivatePaths) -> None:
    """Unmount what a killed dockerd left and remove sockets and process ids; images and the log stay.

    dockerd mounts its data folder over itself and forgets that in a crash.
    """
    for point in _mounts_below(paths.log.parent, paths.run):
        process.run(["umount", str(point)], timeout=10)
    if not _mounts_below(paths.run):
        shutil.rmtree(paths.run, ignore_errors=True)


def _mounts_below(*folders: Path) -> list[Path]:
    """Mount points under the folders, the deepest first (proc_pid_mountinfo(5), field 5)."""
    try:
        table = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    points = [Path(line.split()[4].encode().decode("unicode_escape")) for line in table.splitlines()]
    return sorted((point for point in points if any(map(point.is_relative_to, folders))), reverse=True)


@contextmanager
def _own_files(paths: PrivatePaths) -> Iterator[None]:
    """Turn what the system refuses us in our own folders (read-only, full, somebody else's) into our error."""
    try:
        yield
    except OSError as reason:
        raise EngineUnavailable(
            f"the files of our own engine cannot be written: {reason.strerror}",
            where=str(reason.filename or paths.log.parent),
            remedy="make the folder writable, or set MIXPEEK_STATE_DIR to one that is",
        ) from reason


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock file, waiting for another CLI that is starting the engine; the kernel frees it on a crash."""
    import fcntl

    deadline = time.monotonic() + _READY_SECONDS + _STOP_SECONDS
    with path.open("ab") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise EngineUnavailable(
                        "another mixpeek has been starting the engine for too long",
                        where=str(path),
                        remedy="end the other mixpeek, then run the same command again",
                    ) from None
                time.sleep(0.05)
        yield
