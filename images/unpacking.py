"""Unpacks wheels in processes of their own, started before there is anything to unpack.

A wheel is a stranger's zip: what it may cost in memory, it costs a child with a limit, and a child that its bytes
bring down is a refused wheel. And two of them do at a time what threads of this process would do by turns.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from images.environment import program_path
from images.faults import StoreUnavailable
from images.files import Cache
from images.fragments import Fragment, Fragments
from images.pylock import LockedWheel
from images.wheel import refusal
from toolchain.core.errors import DependencyFault, DownloadCorrupt, MixpeekError
from toolchain.core.process import own_program, spawn

if TYPE_CHECKING:
    from typing_extensions import Self

# More than cores gain nothing, and past four the disk is the limit.
COUNT: Final = max(1, min(4, os.cpu_count() or 1))
_PROBLEMS: Final = {kind.id: kind for kind in (DependencyFault, DownloadCorrupt, StoreUnavailable)}
_WORDS: Final = 300
# The table of the largest honest wheel, 30,000 files, takes 100 MB.
_MEMORY: Final = 1 << 30


class Unpackers:
    """The children, each with ``memory`` bytes at most. A context: at its end they are gone."""

    def __init__(self, cache: Cache, memory: int = _MEMORY) -> None:
        self._cache = cache
        self._memory = memory
        self._fragments = Fragments(cache)
        self._end = ExitStack()
        self._free: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()

    def __enter__(self) -> Self:
        for _ in range(COUNT):
            self._free.put(self._start())
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def unpack(self, path: Path, wheel: LockedWheel, root: str) -> Fragment:
        """The piece of ``wheel``, which lies at ``path``, installed under ``root``; from any thread.

        Raises ``DependencyFault`` for a wheel that is refused, ``DownloadCorrupt`` for one that a disk damaged,
        ``StoreUnavailable`` when the disk is full.
        """
        if found := self._fragments.find(wheel, root):
            return found
        child = self._free.get()
        try:
            self._ask(child, path, wheel, root)
        finally:
            self._free.put(child if child.poll() is None else self._start())
        made = self._fragments.find(wheel, root)
        if made is None:
            raise DownloadCorrupt(
                f"the piece of {wheel.filename} is gone again",
                where=str(path),
                remedy="run the same command again",
            )
        return replace(made, made=True)

    def _start(self) -> subprocess.Popen[bytes]:
        argv = [*own_program("images.unpack_child"), str(self._cache.root), str(self._memory)]
        return self._end.enter_context(spawn(argv, env={"PATH": program_path()}))

    def _ask(self, child: subprocess.Popen[bytes], path: Path, wheel: LockedWheel, root: str) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        request = {"path": str(path), "wheel": asdict(wheel), "root": root}
        line = b""
        with suppress(OSError):
            child.stdin.write(json.dumps(request).encode() + b"\n")
            child.stdin.flush()
            line = child.stdout.readline()
        if not line:
            raise _died(child, wheel)
        if (problem := json.loads(line)["problem"]) is not None:
            raise _problem(problem)


def _problem(told: dict[str, Any]) -> MixpeekError:
    return _PROBLEMS[told["id"]](told["message"], where=told["where"], remedy=told["remedy"])


def _died(child: subprocess.Popen[bytes], wheel: LockedWheel) -> MixpeekError:
    """What its end says: a signal is what the wheel's bytes did to it, an exception is no word on the wheel."""
    status = child.wait()
    words = child.stderr.read()[-_WORDS:].decode(errors="replace").strip() if child.stderr else ""
    last = words.splitlines()[-1] if words else f"status {status}"
    if status < 0:
        return refusal(wheel.filename, f"reading it ended the process that did (signal {-status})")
    return StoreUnavailable(
        f"{wheel.filename} could not be unpacked: {last}",
        remedy="run `mixpeek doctor`; if the disk is well, tell us, with this line",
    )
