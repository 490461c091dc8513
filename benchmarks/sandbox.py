"""What the sandbox costs: a job's latency beside `docker run`, a pre-warmed job's, and batches beside in-process.

    python -m benchmarks.sandbox [--rounds 7] [--megabytes 100]

All in one run, interleaved, medians. "The same command" is the guest with the same job on its standard input, run
as `docker run --rm -i` does it: create, attach, start, send, read to the end, wait, remove.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from engine.executors.local import LocalExecutor
from engine.plugins.extractors.pipeline import PipelineDefinition, StepDefinition, build_pipeline_steps
from images.build import BuildRequest, build
from images.code import SourceFile
from images.requirements import RequirementSet
from sandbox.batches import Batches, BatchJob
from sandbox.conversation import Job, Listener
from sandbox.dialect import dialect_for
from sandbox.launch import container_request
from sandbox.policy import Policy
from sandbox.protocol import encode
from sandbox.session import Session, guest_command
from sandbox.stream import AttachedStream
from toolchain.core.containers import ContainerEngine, connect
from toolchain.core.image_layout import plugin_directory
from toolchain.core.reporter import SilentReporter

_NAME = "sandbox_bench"
_ROWS = 1 << 16
_WARM_SECONDS = 60.0  # the most that the worker's imports may take; a quiet machine needs 0.7

PIPELINE = """
from engine.plugins.extractors.pipeline import PipelineDefinition, StepDefinition, build_pipeline_steps


class ZScore:
    def __init__(self, config, progress_actor=None):
        pass

    def __call__(self, batch):
        numbers = batch.select_dtypes("number")
        return batch.assign(**((numbers - numbers.mean()) / numbers.std()))


def build_steps(extractor_request, **kwargs):
    step = StepDefinition(service_class=ZScore, batch_size=65536)
    return {"steps": build_pipeline_steps(PipelineDefinition("sandbox_bench", "1.0.0", [step]))}
"""
MANIFEST = 'metadata = {"feature_extractor_name": "sandbox_bench", "version": "1.0.0"}\n'


@dataclass(frozen=True)
class Bench:
    """Where to measure: an engine, an image that is built, and the policy."""

    engine: ContainerEngine
    image: str
    policy: Policy

    @property
    def job(self) -> Job:
        """The least that a job can be: import the plugin and describe it."""
        return Job(_NAME, plugin_directory(_NAME), ("describe",))


def main() -> None:
    """Print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--megabytes", type=int, default=100)
    options = parser.parse_args()
    with bench() as place:
        _report_latency(place, options.rounds)
        _report_batches(place, options.rounds, options.megabytes)


@contextmanager
def bench() -> Iterator[Bench]:
    """The default policy, and the image of a plugin that standardises every numeric column."""
    engine = connect()
    with tempfile.TemporaryDirectory() as folder:
        files = {"__init__.py": "", "manifest.py": MANIFEST, "pipeline.py": PIPELINE}
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        sources = tuple(SourceFile(name, Path(folder) / name) for name in files)
        image = build(BuildRequest(_NAME, sources, RequirementSet()), engine, SilentReporter())
        yield Bench(engine, image.id, Policy())
    engine.close()


def _report_latency(place: Bench, rounds: int) -> None:
    ways: dict[str, Callable[[], float]] = {
        "session: start to verdict": lambda: _timed(lambda: _session(place)),
        "docker run, same flags, same command": lambda: _timed(lambda: _docker_run(place, confined=True)),
        "docker run, no flags, same command": lambda: _timed(lambda: _docker_run(place, confined=False)),
        "pre-warmed job: hand-over to answer": lambda: _prewarmed(place)[0],
        "pre-warmed job: hand-over to verdict": lambda: _prewarmed(place)[1],
    }
    medians = _interleaved(ways, rounds)
    for way, seconds in medians.items():
        print(f"{seconds * 1000:9.1f} ms  {way}")
    session = medians["session: start to verdict"]
    for way in ("docker run, same flags, same command", "docker run, no flags, same command"):
        print(f"{session / medians[way]:9.2f} x   session / {way}")


def _report_batches(place: Bench, rounds: int, megabytes: int) -> None:
    """A frame of eight float columns in pieces of 65,536 rows, through both."""
    rows = (megabytes << 20) // 64
    numbers = np.random.default_rng(0).normal(size=(8, rows))
    frame = pa.table({f"column_{place}": column for place, column in enumerate(numbers)})
    pieces = [frame.slice(start, _ROWS) for start in range(0, rows, _ROWS)]
    namespace: dict[str, Any] = {}
    exec(PIPELINE, namespace)  # our own text, above
    with Batches(place.engine, place.image, place.policy, BatchJob(_NAME, plugin_directory(_NAME))) as batches:
        expected, got = _here(namespace["ZScore"], pieces), [result.table for result in batches.run(pieces)]
        assert pa.concat_tables(got).equals(pa.concat_tables(expected))
        ways: dict[str, Callable[[], float]] = {
            "in this process": lambda: _timed(lambda: _here(namespace["ZScore"], pieces)),
            "batches through the sandbox": lambda: _timed(lambda: list(batches.run(pieces))),
        }
        medians = _interleaved(ways, rounds)
    print()
    for way, seconds in medians.items():
        print(f"{seconds * 1000:9.1f} ms  {megabytes} MB, {way}")
    ratio = medians["in this process"] / medians["batches through the sandbox"]
    print(f"{ratio:9.2f} x   throughput of the sandbox / in this process")


def _here(service: type, pieces: list[pa.Table]) -> list[pa.Table]:
    steps = build_pipeline_steps(PipelineDefinition(_NAME, "1.0.0", [StepDefinition(service, batch_size=_ROWS)]))
    executor = LocalExecutor()
    return [executor.run(steps, piece).table for piece in pieces]


def _session(place: Bench) -> None:
    with Session(place.engine, place.image, place.policy) as session:
        outcome = session.run(place.job)
    assert outcome.transcript.done, outcome.reason


def _prewarmed(place: Bench) -> tuple[float, float]:
    """Seconds until everything is answered, and until the engine has said how the container ended."""
    with Session(place.engine, place.image, place.policy) as session:
        assert session.wait_ready(_WARM_SECONDS)
        job = place.job
        listener = Listener(place.policy, job, lambda _stage: None)
        deadline = time.monotonic() + 60
        began = time.perf_counter()
        session.send(job.message(place.policy), deadline)
        session.listen(listener, deadline, lambda: listener.transcript.done)
        answered = time.perf_counter() - began
        outcome = session.conclude(listener, timed_out=False, violation=None)
        concluded = time.perf_counter() - began
    assert outcome.transcript.stages["describe"].status == 0, outcome.reason
    return answered, concluded


def _docker_run(place: Bench, *, confined: bool) -> None:
    api = place.engine.client.api
    request = container_request(
        place.policy,
        image=place.image,
        command=guest_command(place.policy),
        labels={},
        dialect=dialect_for(place.engine, place.policy),
    )
    if not confined:
        # A private engine of ours has no bridge to connect a container to; all else is the engine's default.
        request["HostConfig"] = {"NetworkMode": "none"}
        request["Cmd"] = guest_command(Policy(watch="nothing"))
    container = api.create_container_from_config(request)["Id"]  # type: ignore[no-untyped-call]
    try:
        stream = AttachedStream(place.engine, container)
        api.start(container)
        deadline = time.monotonic() + 60
        stream.send(encode(place.job.message(place.policy)), deadline)
        heard = b"".join(data for is_stdout, data in stream.chunks(deadline) if is_stdout)
        status = api.wait(container)["StatusCode"]
        stream.close()
    finally:
        api.remove_container(container, force=True)
    assert status == 0, heard[-500:]


def _interleaved(ways: dict[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way, measure in ways.items():
            times[way].append(measure())
    return {way: statistics.median(found) for way, found in times.items()}


def _timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
