"""Many sessions in a row and some at once: what they leave behind, and how much this process grows.

    python -m benchmarks.soak [--sessions 200] [--together 8]

Exits with 1 when anything is left or this process grew by more than five per cent.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sandbox import Bench, bench
from sandbox.batches import Batches, BatchJob
from sandbox.leftovers import KIND, SANDBOX
from sandbox.outcome import Ending
from sandbox.prestart import Prestart
from sandbox.session import Session
from toolchain.core.containers import ContainerEngine

_SETTLING = 10  # sessions after which caches and pools have what they keep
_ENGINE_SECONDS = 120
GROWTH = 1.05


@dataclass(frozen=True)
class Traces:
    """All that a session could leave: ids and names in the engine, files, processes, threads, descriptors."""

    containers: frozenset[str]
    volumes: frozenset[str]
    networks: frozenset[str]
    files: frozenset[str]
    children: frozenset[str]
    threads: int
    descriptors: int

    def since(self, earlier: Traces) -> dict[str, object]:
        """What is there now and was not before."""
        grown: dict[str, object] = {}
        for name, now in vars(self).items():
            before = getattr(earlier, name)
            more = sorted(now - before) if isinstance(now, frozenset) else max(0, now - before)
            if more:
                grown[name] = more
        return grown


@dataclass(frozen=True)
class Soak:
    """What a soak found: ``left`` is empty and ``growth`` of this process's resident size at most `GROWTH`."""

    sessions: int
    seconds: float
    left: dict[str, object]
    growth: float


def main() -> None:
    """Print what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--together", type=int, default=8)
    options = parser.parse_args()
    # Of our own, so that nobody else's temporary files count.
    with tempfile.TemporaryDirectory() as folder, bench() as place:
        tempfile.tempdir = folder
        found = soak(place, options.sessions, options.together)
    print(f"{found.sessions} sessions in {found.seconds:.0f} s, {options.together} of them at once")
    print(f"left behind: {found.left or 'nothing'}")
    print(f"resident size of this process: {found.growth:.3f} x")
    sys.exit(bool(found.left) or found.growth > GROWTH)


def soak(place: Bench, sessions: int, together: int) -> Soak:
    """Run ``sessions`` in a row, each started while the one before it runs, then ``together`` at once.

    Every fifth takes batches through shared memory. Each session must complete.
    """
    settling = min(_SETTLING, sessions // 2)
    _in_a_row(place, settling)
    # The pool's threads and clients are made anew each time, so once before counting.
    _at_once(place, together)
    before, size = traces(place.engine), _resident()
    began = time.monotonic()
    _in_a_row(place, sessions - settling)
    _at_once(place, together)
    seconds = time.monotonic() - began
    gc.collect()
    return Soak(sessions + 2 * together, seconds, traces(place.engine).since(before), _resident() / size)


def traces(engine: ContainerEngine) -> Traces:
    """What is there now: of the whole engine's volumes and networks, of this process's own rest."""
    api = engine.client.api
    ours = api.containers(all=True, filters={"label": f"{KIND}={SANDBOX}"})
    temporary = Path(tempfile.gettempdir()).glob("mixpeek-*")
    tasks = Path("/proc/self/task")
    return Traces(
        containers=frozenset(item["Id"] for item in ours),
        volumes=frozenset(item["Name"] for item in api.volumes()["Volumes"] or ()),
        networks=frozenset(item["Id"] for item in api.networks()),
        files=frozenset(map(str, temporary)),
        children=frozenset(" ".join((task / "children").read_text() for task in tasks.iterdir()).split()),
        threads=len(list(tasks.iterdir())),
        descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - only how many
    )


def _in_a_row(place: Bench, sessions: int) -> None:
    """One after the other; with its start overlapped, a session costs what its guest's imports take."""
    for number in range(sessions):
        if number % 5 == 4:
            _batches(place)
        else:
            _one(place)


def _one(place: Bench) -> None:
    with Prestart(Session(place.engine, place.image, place.policy)) as prestart:
        outcome = prestart.session().run(place.job)
    assert outcome.ending is Ending.COMPLETED, outcome.reason


def _batches(place: Bench) -> None:
    import pyarrow as pa

    job = BatchJob(place.job.name, place.job.root)
    with Batches(place.engine, place.image, place.policy, job) as batches:
        assert len(list(batches.run(pa.table({"number": [1.0, 2.0, 3.0]}) for _ in range(5)))) == 5
        assert batches.finish().ending is Ending.COMPLETED


def _at_once(place: Bench, together: int) -> None:
    def run(_: int) -> None:
        with closing(place.engine.with_timeout(_ENGINE_SECONDS)) as engine:
            _one(Bench(engine, place.image, place.policy))

    with ThreadPoolExecutor(together) as pool:
        list(pool.map(run, range(together)))


def _resident() -> int:
    """Pages of this process in memory (proc_pid_statm(5))."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])


if __name__ == "__main__":
    main()
