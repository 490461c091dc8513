"""Where a private engine keeps its things."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from toolchain.core.containers.model import EngineKind
from toolchain.core.containers.options import ConnectOptions, runtime_dir, state_dir
from toolchain.core.errors import EngineUnavailable

# dockerd makes sockets up to 45 bytes deeper than its exec root; a unix socket's path ends at 107.
_HOME_LIMIT = 60


@dataclass(frozen=True)
class PrivatePaths:
    """Where a private engine keeps its things: ``data`` lasts, ``run`` holds sockets and process ids."""

    data: Path
    run: Path
    log: Path
    lock: Path
    pidfile: Path
    configuration: Path
    exec_root: Path
    socket: Path


def private_paths(kind: EngineKind, options: ConnectOptions) -> PrivatePaths:
    """The places of the private engine of one kind, under the state folder."""
    home = state_dir(options.environment) / "engine" / kind
    run = home / "run" if len(bytes(home)) <= _HOME_LIMIT else _short_run_dir(home, options)
    return PrivatePaths(
        data=home / "data",
        run=run,
        log=home / "engine.log",
        lock=home / "start.lock",
        pidfile=run / "engine.pid",
        configuration=run / "engine.json",
        exec_root=run / "exec",
        socket=run / "engine.sock",
    )


def require_own(folder: Path) -> None:
    """Refuse a run folder that is not ours alone: in a shared /tmp somebody else may have made it first."""
    facts = folder.lstat()
    if folder.is_symlink() or facts.st_uid != os.geteuid() or facts.st_mode & 0o077:
        raise EngineUnavailable(
            "the folder for the engine's socket belongs to somebody else or is open to others",
            where=str(folder),
            remedy="remove it, or set MIXPEEK_STATE_DIR to a folder of your own with a short path",
        )


def _short_run_dir(home: Path, options: ConnectOptions) -> Path:
    digest = hashlib.sha256(bytes(home)).hexdigest()[:12]
    base = runtime_dir(options.environment)
    if base is None or len(bytes(base)) > _HOME_LIMIT - 20:
        base = Path("/run") if os.geteuid() == 0 else Path(tempfile.gettempdir())
    return base / f"mixpeek-{digest}"
