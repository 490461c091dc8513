"""What a build costs: cold, nothing changed, a line changed, a dependency changed; and how large the image is.

    python -m benchmarks.build [--rounds 3] [--peer NAME=PROGRAM ...] [--peer-base plain|prepared]

The set is pandas, pyarrow, pytest and one small package. Cold means an empty cache and an engine without our
layers, with the base there; downloads count. "mixpeek" is the library's call, "mixpeek command" the same as a
program that starts anew. Ways are interleaved in each round, and each starts when the disk has what the one before
wrote; medians and ratios to the command are printed, as peers are commands too.

Peers, each in an environment of its own outside this repository (bentoml 1.4.40 and truss 0.18.36 were tried):

    python3 -m venv ~/peers/bentoml && ~/peers/bentoml/bin/pip install bentoml
    python3 -m venv ~/peers/truss && ~/peers/truss/bin/pip install truss
    dockerd --host=unix:///run/benchmark.sock --data-root=/var/tmp/benchmark --exec-root=/run/benchmark \\
        --pidfile=/run/benchmark.pid --bridge=none --iptables=false
    export DOCKER_HOST=unix:///run/benchmark.sock
    python -m benchmarks.peer_base
    python -m benchmarks.build --peer bentoml=~/peers/bentoml/bin/bentoml --peer truss=~/peers/truss/bin/truss

The docker command must have BuildKit and buildx. The engine is one whose builds reach the package index by the
host's network, and it serves every way alike. A peer's cold build starts from a plain Python base, as its users'
does, or from one that is prepared with all that it would install from the distribution: ``benchmarks.peer_base``.
Its later builds find the engine's build cache, which a cold build empties: use an engine of its own. Its network
is on throughout, ours never in a container; BentoML also imports the service on the host.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import peer_base
from benchmarks.peers import PEERS, PeerBuilder, Place, settled
from images.base import ensure_base
from images.build import BuildRequest, build
from images.engine_calls import list_images
from images.files import Cache
from images.layout import LABEL_BASE, LABEL_ROLE
from images.requirements import read_requirements
from toolchain.building import image_files
from toolchain.check.reading import read_plugin
from toolchain.core.containers import ContainerEngine, connect
from toolchain.core.errors import ProcessFailed, UsageFault
from toolchain.core.process import run
from toolchain.core.reporter import SilentReporter, StreamReporter
from toolchain.plugin.scaffold import ScaffoldRequest, create_plugin

_NAME = "build_benchmark"
# The last is small and rare: without it another plugin's image may hold the same layer, and nothing would be cold.
_REQUIREMENTS = ("pandas>=2.2", "pyarrow>=17", "pytest>=8.2", "isodate")
_ONE_MORE = "humanize"
_BASES = {"plain": peer_base.PLAIN, "prepared": peer_base.PREPARED}


@dataclass
class Figures:
    """Seconds of each round by scenario and way, and the sizes of images in bytes, whole and above their base."""

    seconds: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)

    def add(self, way: str, scenario: str, seconds: float) -> None:
        self.seconds.setdefault(scenario, {}).setdefault(way, []).append(seconds)


class Library:
    """Our builds of one plugin in a folder, by the library's call."""

    name = "mixpeek"

    def __init__(self, engine: ContainerEngine, folder: Path) -> None:
        self._engine = engine
        self._folder = folder
        self._plugin = create_plugin(ScaffoldRequest(_NAME, "text", output=folder)).root
        # All it requires stands in one file, which each build writes.
        (self._plugin / "pyproject.toml").unlink()
        self._built: set[str] = set()
        self._cache = folder / "cache"

    def start(self, number: int) -> None:
        """Forget everything: a new cache, and none of our layers in the engine."""
        self._cache = self._folder / f"cache-{number}"
        self.clean()

    def edit(self) -> None:
        """Change one line of the plugin."""
        (self._plugin / "line.py").write_text(f"{_line()}\n")

    def build(self, requirements: Sequence[str]) -> float:
        """Seconds of one build."""
        (self._plugin / "requirements.txt").write_text("".join(f"{one}\n" for one in requirements))
        started = settled()
        self._build()
        return time.perf_counter() - started

    def _build(self) -> None:
        reading = read_plugin(self._plugin)
        wanted = read_requirements(reading.tree.root, reading.manifest.dependencies)
        request = BuildRequest(_NAME, image_files(reading.tree), wanted)
        built = build(request, self._engine, SilentReporter(), Cache(self._cache))
        self._built.add(built.id)

    def sizes(self) -> tuple[int, int]:
        """Of the image and of what is above its base, as layers."""
        found = self._engine.client.api.inspect_image(f"mixpeek/{_NAME}:cpu")  # type: ignore[no-untyped-call]
        base = self._engine.client.api.inspect_image(found["Config"]["Labels"][LABEL_BASE])  # type: ignore[no-untyped-call]
        return int(found["Size"]), int(found["Size"]) - int(base["Size"])

    def clean(self) -> None:
        """Remove what was built."""
        import docker.errors

        for image in self._built:
            with suppress(docker.errors.APIError):
                self._engine.client.api.remove_image(image, force=True)
        self._built.clear()


class Command(Library):
    """The same by the command, a process of its own each time."""

    name = "mixpeek command"

    def _build(self) -> None:
        program = Path(sys.executable).with_name("mixpeek")
        arguments = ["plugin", "build", "--path", str(self._plugin), "--json"]
        environment = {
            **os.environ,
            "DOCKER_HOST": self._engine.address,
            "MIXPEEK_CACHE_DIR": str(self._cache),
        }
        completed = run([str(program), *arguments], timeout=900, env=environment)
        if not completed.ok:
            raise ProcessFailed(f"the command failed: {completed.stdout[-800:]}", remedy="run it by hand")
        self._built.add(json.loads(completed.stdout)["data"]["image"]["id"])


def measure_ours(way: Library, number: int, figures: Figures) -> None:
    """One round of all scenarios."""
    way.start(number)
    way.edit()
    figures.add(way.name, "cold", way.build(_REQUIREMENTS))
    figures.add(way.name, "nothing changed", way.build(_REQUIREMENTS))
    way.edit()
    figures.add(way.name, "one line changed", way.build(_REQUIREMENTS))
    figures.sizes[way.name] = way.sizes()
    figures.add(way.name, "one dependency changed", way.build([*_REQUIREMENTS, _ONE_MORE]))
    way.clean()


def measure_peer(builder: PeerBuilder, base_size: int, figures: Figures) -> None:
    """The same of a peer."""
    name, line = builder.peer.name, _line()
    figures.add(name, "cold", builder.build(_REQUIREMENTS, line, cold=True))
    figures.add(name, "nothing changed", builder.build(_REQUIREMENTS, line))
    figures.add(name, "one line changed", builder.build(_REQUIREMENTS, _line()))
    figures.sizes[name] = (builder.size(), builder.size() - base_size)
    figures.add(name, "one dependency changed", builder.build([*_REQUIREMENTS, _ONE_MORE], _line()))


def _line() -> str:
    return f"moment = {time.time_ns()}"


def report(figures: Figures) -> None:
    """Print medians, and each as a ratio to the command's."""
    for scenario, ways in figures.seconds.items():
        ours = statistics.median(ways[Command.name])
        for way, seconds in ways.items():
            median = statistics.median(seconds)
            span = f"({min(seconds):.3f} to {max(seconds):.3f})"
            print(f"{scenario:<24} {way:<16} {median:8.3f} s  {span:<20} {median / ours:7.2f} x the command")
    for way, (size, above) in figures.sizes.items():
        print(f"{'image':<24} {way:<16} {size / 1e6:8.1f} MB  (base + {above / 1e6:.1f} MB)")


def require_bare(engine: ContainerEngine) -> None:
    """Raise ``UsageFault`` when the engine has images of plugins: with their layers, nothing is cold."""
    if found := list_images(engine, f"{LABEL_ROLE}=plugin"):
        raise UsageFault(
            f"the engine has {len(found)} images of plugins, which share layers with what is measured",
            where=engine.address,
            remedy="start an engine of its own for this, as the program's first lines show",
        )


def _peers(entries: Sequence[str], base: str, engine: ContainerEngine, folder: Path) -> list[PeerBuilder]:
    builders = []
    for entry in entries:
        name, _, program = entry.partition("=")
        if name not in PEERS:
            raise UsageFault(f"{name!r} is no peer that is known", remedy=f"use {' or '.join(PEERS)}=PROGRAM")
        place = folder / f"peer-{name}"
        place.mkdir()
        builders.append(
            PeerBuilder(PEERS[name](Place(Path(program).expanduser().absolute(), place, base)), engine)
        )
    return builders


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PROGRAM")
    parser.add_argument("--peer-base", choices=_BASES, default="plain")
    options = parser.parse_args()
    engine = connect()
    require_bare(engine)
    ensure_base(engine, StreamReporter(sys.stderr))
    figures = Figures()
    with tempfile.TemporaryDirectory() as folder:
        ours = []
        for kind in (Library, Command):
            place = Path(folder) / kind.__name__
            place.mkdir()
            ours.append(kind(engine, place))
        base = _BASES[options.peer_base]
        peers = _peers(options.peer, base, engine, Path(folder))
        below = engine.client.api.inspect_image(base)["Size"] if peers else 0  # type: ignore[no-untyped-call]
        for number in range(options.rounds):
            for way in ours:
                measure_ours(way, number, figures)
            for builder in peers:
                measure_peer(builder, int(below), figures)
            print(f"round {number + 1} of {options.rounds} done", file=sys.stderr)
    report(figures)


if __name__ == "__main__":
    main()
