"""`plugin test --sandbox` after a one-line change, beside pytest on the host and `docker run` of the same tests.

    python -m benchmarks.sandbox_test [--rounds 5] [--category text]

All in one run, interleaved, medians. The floor is what pytest itself takes inside the plugin's container; the
claim is the time above that floor.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sandbox.launch import Dialect, container_request
from sandbox.policy import Policy
from sandbox.seccomp import profile_text
from toolchain.core.containers import ContainerEngine, connect
from toolchain.core.process import run
from toolchain.plugin.scaffold import ScaffoldRequest, create_plugin

_NAME = "latency_probe"
_INSIDE = f"""
import subprocess, sys, time
folders = ["pytest", "dependencies", "runtime", "plugin"]
environment = {{"PYTHONPATH": ":".join("/opt/mixpeek/" + folder for folder in folders)}}
started = time.perf_counter()
tests = "/opt/mixpeek/plugin/{_NAME}/tests"
argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests]
done = subprocess.run(argv, env=environment, capture_output=True, cwd="/tmp")
sys.stdout.write(f"{{time.perf_counter() - started}}\\n" if done.returncode == 0 else done.stdout.decode())
sys.exit(done.returncode)
"""


def main() -> None:
    """Print one line for each way of running the tests, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--category", default="text")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        created = create_plugin(ScaffoldRequest(_NAME, options.category, output=Path(folder)))
        _report(_measure(created.root, options.rounds))


def _measure(root: Path, rounds: int) -> dict[str, list[float]]:
    engine = connect()
    image = _sandbox(root)["data"]["evidence"]["image"]["id"]  # also warms every cache
    inside: list[float] = []
    ways: dict[str, Callable[[int], float]] = {
        "pytest on the host": lambda _: _timed(lambda: _host_pytest(root)),
        "docker run, same flags": lambda _: _timed(
            lambda: inside.append(_docker_run(engine, image, confined=True))
        ),
        "docker run, no network": lambda _: _timed(lambda: _docker_run(engine, image, confined=False)),
        "plugin test --sandbox, one line changed": lambda turn: _after_change(root, turn),
        "plugin test --sandbox, nothing changed": lambda _: _timed(lambda: _sandbox(root)),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for way, measure in ways.items():
            times[way].append(measure(turn))
    times["pytest itself inside the container"] = inside
    return times


def _after_change(root: Path, turn: int) -> float:
    with (root / "processors/core.py").open("a", encoding="utf-8") as source:
        source.write(f"# change {turn} of {os.getpid()}\n")
    return _timed(lambda: _sandbox(root))


def _sandbox(root: Path) -> dict[str, dict[str, dict[str, dict[str, str]]]]:
    argv = [
        sys.executable,
        "-m",
        "toolchain.cli.main",
        "plugin",
        "test",
        "--sandbox",
        "--json",
        "--path",
        str(root),
    ]
    done = run(argv, timeout=600)
    assert done.ok, done.stdout + done.stderr
    envelope: dict[str, dict[str, dict[str, dict[str, str]]]] = json.loads(done.stdout)
    return envelope


def _host_pytest(root: Path) -> None:
    done = run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"], timeout=120, cwd=root)
    assert done.ok, done.stdout


def _docker_run(engine: ContainerEngine, image: str, *, confined: bool) -> float:
    """Create, start, wait, read, remove: what `docker run --rm` does. Returns the seconds told from inside."""
    api = engine.client.api
    command = ["/opt/mixpeek/python", "-c", _INSIDE]
    if confined:
        request = container_request(
            Policy(), image=image, command=command, labels={}, dialect=Dialect(profile_text("cpu"))
        )
        request["HostConfig"]["LogConfig"] = {"Type": "json-file", "Config": {}}
        container = api.create_container_from_config(request)["Id"]  # type: ignore[no-untyped-call]
    else:
        # A private engine of ours has no bridge to connect a container to.
        offline = api.create_host_config(network_mode="none")
        container = api.create_container(image, command=command, host_config=offline)["Id"]
    try:
        api.start(container)
        status = api.wait(container)["StatusCode"]
        output = api.logs(container).decode()
    finally:
        api.remove_container(container, force=True)
    assert status == 0, output
    return float(output)


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _report(times: dict[str, list[float]]) -> None:
    medians = {way: statistics.median(found) for way, found in times.items()}
    ours = medians["plugin test --sandbox, one line changed"]
    for way, median in sorted(medians.items(), key=lambda item: item[1]):
        print(f"{median:7.3f} s  {way}")
    print()
    for way in ("pytest on the host", "docker run, same flags", "docker run, no network"):
        print(f"{ours / medians[way]:7.2f} x  {way}")
    above = ours - medians["pytest itself inside the container"]
    print(f"{above:7.3f} s above pytest itself inside the container")


if __name__ == "__main__":
    main()
