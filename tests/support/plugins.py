"""A minimal valid plugin, to be spoiled by a test in one place."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

NAME = "spoiled_plugin"

MANIFEST = f"""
from pydantic import BaseModel


class Input(BaseModel):
    text: str


class Output(BaseModel):
    vector: list[float]


metadata = {{
    "feature_extractor_name": "{NAME}",
    "version": "1.0.0",
    "description": "A plugin for the tests of the toolchain.",
    "category": "text",
}}
input_schema = Input
output_schema = Output
features = [
    {{
        "feature_type": "embedding",
        "feature_name": "vector",
        "embedding_dim": 2,
        "distance_metric": "cosine",
    }},
]
"""

PIPELINE = """
from engine.plugins.extractors.pipeline import (
    PipelineDefinition,
    ResourceType,
    StepDefinition,
    build_pipeline_steps,
)

from .manifest import metadata


class Processor:
    def __init__(self, config, progress_actor=None):
        pass

    def __call__(self, batch):
        batch["vector"] = [[float(len(text)), 1.0] for text in batch["text"]]
        return batch


def build_steps(extractor_request, **kwargs):
    step = StepDefinition(service_class=Processor, resource_type=ResourceType.CPU, config={})
    pipeline = PipelineDefinition(
        name=metadata["feature_extractor_name"], version=metadata["version"], steps=[step]
    )
    return {"steps": build_pipeline_steps(pipeline), "prepare": lambda dataset: dataset}
"""

TESTS = """
def test_truth():
    assert True
"""

SAMPLES = '[{"text": "one"}, {"text": "three"}, {"text": "thirteen"}]'


@dataclass(frozen=True)
class Plugin:
    """A plugin's folder."""

    root: Path

    def write(self, name: str, text: str | bytes) -> None:
        """Replace or add a file; text is dedented."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).lstrip("\n").encode())

    def replace(self, name: str, old: str, new: str) -> None:
        """Change one place in a file."""
        text = (self.root / name).read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}"
        (self.root / name).write_text(text.replace(old, new))

    def remove(self, name: str) -> None:
        """Delete a file."""
        (self.root / name).unlink()

    def files(self) -> set[str]:
        """The names of everything in the folder."""
        return {path.relative_to(self.root).as_posix() for path in self.root.rglob("*")}


def make_plugin(parent: Path, name: str = NAME) -> Plugin:
    """A plugin that passes every check, in a new folder below ``parent``; it needs no package of its own."""
    plugin = Plugin(parent / name)
    plugin.write("__init__.py", "")
    plugin.write("manifest.py", MANIFEST)
    plugin.write("pipeline.py", PIPELINE)
    plugin.write("samples.json", SAMPLES)
    plugin.write("tests/__init__.py", "")
    plugin.write("tests/test_it.py", TESTS)
    return plugin
