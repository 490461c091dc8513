"""How a batch flows through the plugin: which processor sees which rows, and on what hardware."""

from typing import Any

from engine.plugins.extractors.pipeline import (
    PipelineDefinition,
    ResourceType,
    RowCondition,
    StepDefinition,
    build_pipeline_steps,
)

from .manifest import (
    MyExtractorParams,
    metadata,
)
from .processors.core import (
    MyExtractorConfig,
    MyExtractorProcessor,
)


def build_steps(
    extractor_request: Any,
    container: Any = None,
    base_steps: list | None = None,
    **kwargs: Any,
) -> dict[str, Any]:
    """Return the steps to run, after those the platform puts first, and how to prepare the data set.

    Raises ``pydantic.ValidationError`` when a parameter is unknown or out of range.
    """
    params = MyExtractorParams(**(extractor_request.extractor_config.parameters or {}))
    pipeline = PipelineDefinition(
        name=metadata["feature_extractor_name"],
        version=metadata["version"],
        steps=[
            StepDefinition(
                service_class=MyExtractorProcessor,
                resource_type=ResourceType.CPU,
                config=MyExtractorConfig(**params.model_dump()),
                condition=RowCondition.IS_TEXT,
            ),
        ],
    )
    return {"steps": (base_steps or []) + build_pipeline_steps(pipeline), "prepare": lambda dataset: dataset}
