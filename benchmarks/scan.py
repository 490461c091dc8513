"""The scan's speed beside its peers, on a large honest package and on a ten-file plugin.

    python -m benchmarks.scan [--rounds 3] [FOLDER ...]

Every contender is a whole process, start included, on the same folder; the rounds alternate between them.
``evaluator`` is our scan without bandit, ``unchanged`` the scan answered from its cache. hexora is measured
where it is installed (``pip install hexora``); it and ruff's S rules look for less, bandit for other things as
well. Figures are medians: read the ratios, not the seconds.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import click

_EVALUATOR = (
    "import sys; from pathlib import Path; from toolchain.scan import ScanOptions, scan;"
    "scan(Path(sys.argv[1]), ScanOptions(use_bandit=False))"
)


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path, exists=True, file_okay=False))
def main(rounds: int, folders: tuple[Path, ...]) -> None:
    """Print a table for each folder [default: the installed pandas and the example plugin]."""
    for folder in folders or (_package("pandas"), Path(__file__).parents[1] / "examples" / "text_embedder"):
        with tempfile.TemporaryDirectory(prefix="mixpeek-benchmark-") as places:
            _report(folder, _measured(folder, rounds, Path(places)))


def _package(name: str) -> Path:
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def _contenders(folder: Path) -> dict[str, list[str]]:
    python = [sys.executable, "-m"]
    ours = [*python, "toolchain.cli.main", "plugin", "scan", str(folder)]
    found = {
        "mixpeek": [*ours, "--no-cache"],
        "evaluator": [sys.executable, "-c", _EVALUATOR, str(folder)],
        "unchanged": ours,
        "bandit -r": [*python, "bandit", "-q", "-r", str(folder)],
        "ruff S": [*python, "ruff", "check", "--select", "S", "--isolated", "--no-cache", "-q", str(folder)],
    }
    beside = Path(sys.executable).with_name("hexora")
    hexora = str(beside) if beside.exists() else shutil.which("hexora")
    return {**found, "hexora": [hexora, "audit", str(folder)]} if hexora else found


def _measured(folder: Path, rounds: int, places: Path) -> dict[str, list[float]]:
    environment = {**os.environ, "MIXPEEK_CACHE_DIR": str(places / "c"), "MIXPEEK_STATE_DIR": str(places / "s")}
    contenders = _contenders(folder)
    _run(contenders["unchanged"], environment)  # fills the cache
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, argv in contenders.items():
            times[name].append(_run(argv, environment))
    return times


def _run(argv: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    done = subprocess.run(argv, env=environment, capture_output=True, check=False)
    seconds = time.perf_counter() - started
    if done.returncode not in {0, 1}:  # 1: it found something
        raise click.ClickException(f"{argv[:4]} left with {done.returncode}: {done.stderr.decode()[-500:]}")
    return seconds


def _report(folder: Path, times: dict[str, list[float]]) -> None:
    sources = [path.read_bytes() for path in folder.rglob("*.py")]
    files, lines = len(sources), sum(source.count(b"\n") for source in sources)
    medians = {name: statistics.median(seconds) for name, seconds in times.items()}
    print(f"{folder.name}: {files:,} files, {lines:,} lines of Python")
    for name, seconds in medians.items():
        ratio = medians["bandit -r"] / seconds
        print(
            f"  {name:10} {seconds:8.2f} s {files / seconds:9,.0f} files/s {lines / seconds:11,.0f} lines/s"
            f" {ratio:7.1f} x bandit"
        )


if __name__ == "__main__":
    main()
