"""Scan speed: files and lines a second, ours beside bandit and ruff's S rules.

python -m benchmarks.scan FOLDER [FOLDER ...]
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from toolchain.scan import ScanOptions, scan


def main() -> None:
    """Print one line for each tool and folder."""
    for folder in map(Path, sys.argv[1:]):
        files = list(folder.rglob("*.py"))
        lines = sum(path.read_bytes().count(b"\n") for path in files)
        print(f"{folder}: {len(files)} files, {lines} lines")
        for label, work in _tools(folder):
            _measure(label, len(files), lines, work)


def _tools(folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    yield "mixpeek, evaluator alone", partial(scan, folder, ScanOptions(use_bandit=False))
    yield "mixpeek with bandit", partial(scan, folder, ScanOptions())
    ruff = ["ruff", "check", "--select", "S", "--isolated", "--no-cache", "-q"]
    yield "ruff S", partial(_run, [sys.executable, "-m", *ruff, str(folder)])
    if importlib.util.find_spec("bandit") is not None:
        yield "bandit -r", partial(_run, [sys.executable, "-m", "bandit", "-q", "-r", str(folder)])


def _run(argv: list[str]) -> object:
    return subprocess.run(argv, capture_output=True, check=False)


def _measure(label: str, files: int, lines: int, work: Callable[[], object]) -> None:
    started = time.monotonic()
    work()
    seconds = time.monotonic() - started
    print(f"  {label:26} {seconds:7.2f} s  {files / seconds:8.0f} files/s  {lines / seconds:10.0f} lines/s")


if __name__ == "__main__":
    main()
