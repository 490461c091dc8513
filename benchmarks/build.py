"""What a build costs: cold, one dependency changed, one line changed, nothing changed; and how large the image is.

    python -m benchmarks.build [--rounds 3] [--peer NAME=COMMAND ...]

The set is pandas, pyarrow, pytest and one small package. Cold means an empty cache and an engine without our
layers, with the base there; downloads count. A peer's COMMAND is run by the shell in a folder that holds
``requirements.txt`` and ``plugin.py``, once cold and once after a changed line; it must build an image, and remove
what it keeps when ``BENCHMARK_CLEAN`` is set. Ways are interleaved in each round; medians and ratios are printed.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from images.base import ensure_base
from images.build import BuildRequest, BuiltImage, build
from images.code import SourceFile
from images.files import Cache
from images.requirements import requirement_set
from toolchain.core.containers import ContainerEngine, connect
from toolchain.core.errors import ProcessFailed
from toolchain.core.process import run
from toolchain.core.reporter import SilentReporter, StreamReporter

_NAME = "build_benchmark"
# The last is small and rare: without it another plugin's image may hold the same layer, and nothing would be cold.
_REQUIREMENTS = ("pandas>=2.2", "pyarrow>=17", "isodate")
_PEER_SECONDS = 900.0


@dataclass
class Figures:
    """Seconds of each round by way and scenario, and the size of the image in bytes."""

    seconds: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    size: int = 0
    base_size: int = 0

    def add(self, way: str, scenario: str, seconds: float) -> None:
        self.seconds.setdefault(scenario, {}).setdefault(way, []).append(seconds)


class Ours:
    """Our builds of one plugin in a folder."""

    def __init__(self, engine: ContainerEngine, folder: Path) -> None:
        self._engine = engine
        self._file = folder / "plugin.py"
        self._folder = folder
        self._round = 0
        self._cache = Cache(folder / "cache")
        self._built: set[str] = set()

    def measure(self, figures: Figures) -> None:
        """One round of all scenarios."""
        self._round += 1
        self._cache = Cache(self._folder / f"cache-{self._round}")
        self._remove()
        self._edit()
        figures.add("mixpeek", "cold", self._timed(*_REQUIREMENTS))
        figures.add("mixpeek", "nothing changed", self._timed(*_REQUIREMENTS))
        self._edit()
        figures.add("mixpeek", "one line changed", self._timed(*_REQUIREMENTS))
        figures.add("mixpeek", "one dependency changed", self._timed(*_REQUIREMENTS, "humanize"))
        built = self._build(*_REQUIREMENTS)
        figures.size = built.size
        figures.base_size = sum(layer.size for layer in built.base.config.layers)
        self._remove()

    def _edit(self) -> None:
        self._file.write_text(f"moment = {time.time_ns()}\n")

    def _timed(self, *requirements: str) -> float:
        started = time.perf_counter()
        self._build(*requirements)
        return time.perf_counter() - started

    def _build(self, *requirements: str) -> BuiltImage:
        sources = (SourceFile("plugin.py", self._file),)
        wanted = requirement_set(requirements, source="benchmark")
        request = BuildRequest(_NAME, sources, wanted, with_tests=True)
        built = build(request, self._engine, SilentReporter(), self._cache)
        self._built.add(built.id)
        return built

    def _remove(self) -> None:
        import docker.errors

        for image in self._built:
            with suppress(docker.errors.APIError):
                self._engine.client.api.remove_image(image, force=True)
        self._built.clear()


def peer(name: str, command: str, folder: Path) -> Callable[[Figures], None]:
    """One round of a peer's scenarios."""
    folder.mkdir()
    (folder / "requirements.txt").write_text("\n".join([*_REQUIREMENTS, "pytest>=8.2"]) + "\n")

    def shell(**environment: str) -> float:
        (folder / "plugin.py").write_text(f"moment = {time.time_ns()}\n")
        completed = run(
            ["sh", "-c", command], timeout=_PEER_SECONDS, cwd=folder, env={**os.environ, **environment}
        )
        if not completed.ok:
            raise ProcessFailed(f"{name} failed: {completed.stderr[-500:]}", remedy="correct the --peer command")
        return completed.seconds

    def measure(figures: Figures) -> None:
        shell(BENCHMARK_CLEAN="1")
        figures.add(name, "cold", shell())
        figures.add(name, "one line changed", shell())

    return measure


def report(figures: Figures) -> None:
    """Print medians, and each peer's as a ratio to ours."""
    for scenario, ways in figures.seconds.items():
        ours = statistics.median(ways["mixpeek"])
        for way, seconds in ways.items():
            median = statistics.median(seconds)
            ratio = "" if way == "mixpeek" else f"  {median / ours:6.1f} x ours"
            print(f"{scenario:<24} {way:<10} {median:8.3f} s  ({min(seconds):.3f} to {max(seconds):.3f}){ratio}")
    added = figures.size - figures.base_size
    print(f"{'image':<24} {'mixpeek':<10} {figures.size / 1e6:8.1f} MB (base + {added / 1e6:.1f} MB)")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=COMMAND")
    options = parser.parse_args()
    engine = connect()
    ensure_base(engine, StreamReporter(sys.stderr))
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        ways: list[Callable[[Figures], None]] = [Ours(engine, Path(folder)).measure]
        for entry in options.peer:
            name, _, command = entry.partition("=")
            ways.append(peer(name, command, Path(folder) / f"peer-{name}"))
        for _ in range(options.rounds):
            for way in ways:
                way(figures)
    report(figures)


if __name__ == "__main__":
    main()
