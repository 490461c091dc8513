"""What watching a plugin costs: the same pandas work unwatched, watched as every run is, and watched closely.

    python -m benchmarks.tracing [--rounds 7] [--rows 2000]

Every way runs in a fresh sandbox of one image, interleaved; medians, and ratios to the unwatched one, of a stage
as the supervisor times it. "imports" is a stage that does nothing but import the plugin, and pytest with it; the
stage before them, whose time holds the worker's own start, is not counted.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import replace
from pathlib import Path

from images.build import BuildRequest, build
from images.requirements import read_requirements
from sandbox.conversation import Job, Sample
from sandbox.policy import Policy
from sandbox.session import Session
from toolchain.building import image_files
from toolchain.check.reading import read_plugin
from toolchain.core.containers import ContainerEngine, connect
from toolchain.core.image_layout import PYTEST, plugin_directory
from toolchain.core.reporter import SilentReporter

_NAME = "watched_work"
_WAYS = {"nothing": "unwatched", "attempts": "watched as every run is", "everything": "watched closely (--trace)"}
_STAGES = {"samples": "pandas work", "tests": "imports"}
_FILES = {
    "__init__.py": "",
    "tests/__init__.py": "",
    "tests/test_imports.py": "from ..pipeline import build_steps\n\n\ndef test_it():\n    assert build_steps\n",
    "manifest.py": f'''
from pydantic import BaseModel


class Input(BaseModel):
    text: str


class Output(BaseModel):
    vector: list[float]


metadata = {{"feature_extractor_name": "{_NAME}", "version": "1.0.0", "description": "Work.", "category": "text"}}
input_schema, output_schema = Input, Output
features = [
    {{"feature_type": "embedding", "feature_name": "vector", "embedding_dim": 2, "distance_metric": "cosine"}}
]
''',
    "pipeline.py": '''
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd


def work(batch):
    """Group, join, sort, roll and format, and a round through files, as feature code does."""
    frame = pd.DataFrame({"key": batch["text"].str.slice(0, 2), "size": batch["text"].str.len()})
    for _ in range(3):
        means = frame.groupby("key", as_index=False)["size"].mean().rename(columns={"size": "mean"})
        joined = frame.merge(means, on="key").sort_values(["key", "size"])
        joined["rolling"] = joined["size"].rolling(50, min_periods=1).mean()
        joined["label"] = joined["key"].str.upper() + joined["size"].astype(str)
    with tempfile.TemporaryDirectory() as folder:
        for part in range(2):
            file = Path(folder) / f"{part}.csv"
            joined.head(500).to_csv(file)
            pd.read_csv(file)
    batch["vector"] = list(np.column_stack([batch["text"].str.len(), batch["text"].str.len() + 1.0]).astype(float))
    return batch


def build_steps(extractor_request, **kwargs):
    return {"steps": [work]}
''',
}


def main() -> None:
    """Print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--rows", type=int, default=2_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / _NAME
        for name, text in _FILES.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text, encoding="utf-8")
        _report(_measure(root, options.rounds, options.rows))


def _measure(root: Path, rounds: int, rows: int) -> dict[str, dict[str, list[float]]]:
    engine = connect()
    image = _image(root, engine)
    lines = (json.dumps({"text": f"{number % 97:02d} row {number}"}) for number in range(rows))
    sample = Sample("samples.ndjson", "ndjson", "\n".join(lines).encode())
    times: dict[str, dict[str, list[float]]] = {stage: {way: [] for way in _WAYS} for stage in _STAGES}
    for _ in range(rounds):
        for way in _WAYS:
            job = Job(
                _NAME, plugin_directory(_NAME), ("describe", "tests", "samples"), pytest=(PYTEST,), sample=sample
            )
            with Session(engine, image, replace(Policy(), watch=way)) as session:
                outcome = session.run(job)
            for stage in _STAGES:
                report = outcome.transcript.stages[stage]
                assert report.result is not None, report
                assert not report.result.get("problems"), report.result
                times[stage][way].append(report.seconds)
    return times


def _image(root: Path, engine: ContainerEngine) -> str:
    reading = read_plugin(root)
    requirements = read_requirements(reading.tree.root, reading.manifest.dependencies)
    request = BuildRequest(name=_NAME, files=image_files(reading.tree), requirements=requirements, with_tests=True)
    return build(request, engine, SilentReporter()).id


def _report(times: dict[str, dict[str, list[float]]]) -> None:
    for stage, ways in times.items():
        bare = statistics.median(ways["nothing"])
        for way, found in ways.items():
            median = statistics.median(found)
            print(f"{_STAGES[stage]:<12} {median:7.3f} s  {median / bare:5.2f} x  {_WAYS[way]}")


if __name__ == "__main__":
    main()
