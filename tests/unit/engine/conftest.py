"""Tables and steps that the executor's tests share."""

import pyarrow as pa
import pytest

from engine.plugins.extractors.pipeline import PipelineDefinition, StepDefinition, build_pipeline_steps


@pytest.fixture
def table():
    """Ten rows in the hosted shape: even rows are text, odd rows images; `size` has nulls, `tags` are lists."""
    return pa.table(
        {
            "document_id": [f"d{row}" for row in range(10)],
            "data": [f"text {row}" if row % 2 == 0 else f"s3://b/{row}.png" for row in range(10)],
            "mime_type": ["text/plain", "image/png"] * 5,
            "size": pa.array([row if row % 3 else None for row in range(10)], pa.int64()),
            "tags": pa.array([[row, row + 1] for row in range(10)], pa.list_(pa.int16())),
        }
    )


@pytest.fixture
def build():
    """Build one step from a function or class and its settings."""

    def built(function, **settings):
        service = function if isinstance(function, type) else _factory(function)
        step = StepDefinition(service_class=service, **settings)
        return build_pipeline_steps(PipelineDefinition(name="p", version="1.0.0", steps=[step]))

    return built


def _factory(function):
    def factory():
        return function

    factory.__name__ = function.__name__
    return factory
