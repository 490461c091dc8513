"""One form for all that may stand in a list of steps: built steps, processors and plain functions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.executors.errors import StepError, location, summary
from engine.plugins.extractors.pipeline import (
    DEFAULT_BATCH_SIZES,
    BuiltStep,
    PipelineDefinition,
    ResourceType,
    RowCondition,
    StepDefinition,
)


@dataclass(frozen=True)
class RunnableStep:
    """A step as the executor runs it; ``batch_size`` in rows, ``processor`` not constructed before `prepare`."""

    name: str
    processor: Callable[[Any], Any]
    condition: RowCondition
    resource_type: ResourceType
    batch_size: int

    def construct(self) -> Callable[[Any], Any]:
        """Return the callable that takes a batch; raises StepError where its constructor fails."""
        if not isinstance(self.processor, BuiltStep):
            return self.processor
        try:
            return self.processor.service
        except Exception as error:
            raise StepError(
                f"Step {self.name} could not be constructed: {summary(error)}{location(error)}. Mend the "
                "processor's __init__ or the config its step gives it.",
                step=self.name,
            ) from error


def runnable_steps(
    steps: Sequence[Any], batch_sizes: Mapping[ResourceType, int], progress_actor: Any
) -> list[RunnableStep]:
    """Put ``steps`` into one form; ``progress_actor`` goes to built steps that have none, unless it is None.

    A plain callable gets `RowCondition.ALWAYS` and the CPU batch size. Raises TypeError for anything else, naming
    its place (first is 1).
    """
    if isinstance(steps, PipelineDefinition):
        raise TypeError("The steps are a PipelineDefinition. Pass build_pipeline_steps(pipeline).")
    if not isinstance(steps, Sequence) or isinstance(steps, str | bytes):
        raise TypeError(f"The steps are a {type(steps).__name__}. Pass the list in build_steps(...)['steps'].")
    sizes = {**DEFAULT_BATCH_SIZES, **batch_sizes}
    return [_runnable(step, f"Step {n} of {len(steps)}", sizes, progress_actor) for n, step in enumerate(steps, 1)]


def _runnable(step: Any, where: str, sizes: Mapping[ResourceType, int], progress_actor: Any) -> RunnableStep:
    if isinstance(step, BuiltStep):
        if progress_actor is not None:
            step.attach_progress(progress_actor)
        size = step.batch_size or sizes[step.resource_type]
        return RunnableStep(step.name, step, step.condition, step.resource_type, size)
    if isinstance(step, StepDefinition):
        raise TypeError(f"{where} is a StepDefinition. Pass it through build_pipeline_steps(pipeline) first.")
    if inspect.isclass(step):
        raise TypeError(
            f"{where} is the class {step.__name__}, which is not constructed yet. Wrap it in "
            f"StepDefinition(service_class={step.__name__}, ...), or pass an instance."
        )
    if not callable(step):
        raise TypeError(
            f"{where} is a {type(step).__name__}, which cannot be called. Pass what build_pipeline_steps returns, "
            "or a function that takes and returns a DataFrame."
        )
    name = getattr(step, "__name__", None) or type(step).__name__
    return RunnableStep(str(name), step, RowCondition.ALWAYS, ResourceType.CPU, sizes[ResourceType.CPU])
