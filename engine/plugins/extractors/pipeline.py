"""The pipeline contract: what a plugin's ``pipeline.py`` declares and the executors run.

Importing this module costs nothing beyond the standard library: pandas is named for the type checker only,
so reading a manifest or checking a pipeline's shape never pays for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from engine.plugins.extractors.construction import construct_service

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "DEFAULT_BATCH_SIZES",
    "BuiltStep",
    "PipelineDefinition",
    "ResourceType",
    "RowCondition",
    "StepDefinition",
    "build_pipeline_steps",
]


class ResourceType(Enum):
    """What a step mostly waits for, which decides its default batch size and where it is placed.

    Source: the command line contract, "Resource Types".
    """

    CPU = "cpu"
    GPU = "gpu"
    API = "api"


class RowCondition(Enum):
    """Which rows a step receives, matched by the row's MIME type; the other rows pass it by unchanged.

    ``IS_VISUAL`` is image or video, ``IS_VIDEO_OR_AUDIO`` is video or audio. How a row gets its MIME type is
    in `engine.rows`. Source: the command line contract, "Row Conditions"; the two unions: the early docs.
    """

    ALWAYS = "always"
    IS_TEXT = "is_text"
    IS_IMAGE = "is_image"
    IS_VIDEO = "is_video"
    IS_AUDIO = "is_audio"
    IS_PDF = "is_pdf"
    IS_VISUAL = "is_visual"
    IS_VIDEO_OR_AUDIO = "is_video_or_audio"


# CPU and GPU are the platform's published figures; for API none is published, 16 keeps a burst modest.
DEFAULT_BATCH_SIZES = {ResourceType.CPU: 64, ResourceType.GPU: 8, ResourceType.API: 16}


@dataclass(frozen=True)
class StepDefinition:
    """One step of a pipeline as its author declares it.

    ``service_class`` is a class, or a factory, that is called once with ``config`` and returns the processor:
    a callable that takes a pandas DataFrame and returns one with as many rows. ``batch_size`` counts rows,
    ``concurrency`` counts processors running side by side (used on a cluster). ``progress_actor`` is handed
    to processors whose constructor accepts one. Raises TypeError or ValueError that names the field.
    Source: the command line contract, ``pipeline.py``.
    """

    service_class: Callable[..., Any]
    resource_type: ResourceType = ResourceType.CPU
    config: Any = None
    condition: RowCondition = RowCondition.ALWAYS
    enabled: bool = True
    concurrency: int | None = None
    batch_size: int | None = None
    progress_actor: Any = None

    def __post_init__(self) -> None:
        """Refuse wrong types and sizes here, where the author's own line is in the traceback."""
        if not callable(self.service_class):
            raise TypeError(
                f"StepDefinition.service_class is {_described(self.service_class)}, which cannot be called. "
                "Pass the processor's class itself (service_class=MyProcessor) and its settings as config."
            )
        where = f"StepDefinition for {_name_of(self.service_class)}"
        _require_member(where, "resource_type", self.resource_type, ResourceType)
        _require_member(where, "condition", self.condition, RowCondition)
        if not isinstance(self.enabled, bool):
            raise TypeError(f"{where}: enabled is {_described(self.enabled)}. Pass True or False.")
        _require_positive(where, "concurrency", self.concurrency)
        _require_positive(where, "batch_size", self.batch_size)


@dataclass(frozen=True)
class PipelineDefinition:
    """A named, versioned sequence of steps, run in the order given; the same step may occur twice.

    Raises TypeError or ValueError that names the field, or the step by its place (first is 1).
    Source: the command line contract, ``pipeline.py``.
    """

    name: str
    version: str
    steps: Sequence[StepDefinition]

    def __post_init__(self) -> None:
        """Refuse what is no name, no version or no step, and keep the steps as a tuple of our own."""
        for attribute in ("name", "version"):
            value = getattr(self, attribute)
            if not isinstance(value, str):
                raise TypeError(f"PipelineDefinition.{attribute} is {_described(value)}. Pass a string.")
            if not value.strip():
                raise ValueError(f"PipelineDefinition.{attribute} is empty. Take it from the manifest's metadata.")
        object.__setattr__(self, "steps", _checked_steps(self.name, self.steps))


@dataclass(eq=False)
class BuiltStep:
    """A step ready to run: call it with a pandas DataFrame of n rows and it returns one of n rows.

    The processor is constructed at the first call, once, and kept. Calling a step hands it every row of the
    batch; only an executor applies ``condition``. A copy or a pickle carries the settings but not the
    processor, so each worker constructs its own. Calling raises what the processor or its constructor raises,
    and TypeError when ``service_class`` cannot take the settings or gives something that cannot be called.
    """

    service_class: Callable[..., Any]
    resource_type: ResourceType = ResourceType.CPU
    config: Any = None
    condition: RowCondition = RowCondition.ALWAYS
    concurrency: int | None = None
    batch_size: int | None = None
    progress_actor: Any = None
    _service: Callable[[pd.DataFrame], pd.DataFrame] | None = field(default=None, init=False, repr=False)
    _lock: Any = field(default_factory=threading.Lock, init=False, repr=False)

    @property
    def name(self) -> str:
        """The name of the processor's class, for reports and errors."""
        return _name_of(self.service_class)

    @property
    def service(self) -> Callable[[pd.DataFrame], pd.DataFrame]:
        """The processor, constructed on first use; raises what its constructor raises."""
        with self._lock:
            if self._service is None:
                self._service = construct_service(self.service_class, self.config, self.progress_actor)
            return self._service

    def attach_progress(self, actor: Any) -> None:
        """Give ``actor`` to the processor when it is constructed, unless the step's author set one."""
        if self.progress_actor is None:
            self.progress_actor = actor

    def __call__(self, batch: pd.DataFrame) -> pd.DataFrame:
        """Run the processor on ``batch``."""
        return self.service(batch)

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the processor and the lock: models and locks do not travel."""
        return {name: value for name, value in vars(self).items() if name not in {"_service", "_lock"}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the settings back, with no processor yet."""
        vars(self).update(state, _service=None, _lock=threading.Lock())


def build_pipeline_steps(pipeline: PipelineDefinition, dataset_size: int | None = None) -> list[BuiltStep]:
    """Turn the enabled steps of ``pipeline`` into callables, in order.

    ``dataset_size`` counts rows; where it is known, a step's ``concurrency`` is lowered to the number of
    batches there will be: a further processor would load its model for nothing. Raises TypeError or
    ValueError. Source: the command line contract, ``pipeline.py``.
    """
    if not isinstance(pipeline, PipelineDefinition):
        raise TypeError(
            f"build_pipeline_steps got {_described(pipeline)}. Pass PipelineDefinition(name=..., "
            "version=..., steps=[...])."
        )
    if dataset_size is not None and (isinstance(dataset_size, bool) or not isinstance(dataset_size, int)):
        raise TypeError(
            f"build_pipeline_steps: dataset_size is {_described(dataset_size)}. Pass a row count or None."
        )
    if dataset_size is not None and dataset_size < 0:
        raise ValueError(f"build_pipeline_steps: dataset_size is {dataset_size}. Pass a row count of 0 or more.")
    return [_built(step, dataset_size) for step in pipeline.steps if step.enabled]


def _built(step: StepDefinition, dataset_size: int | None) -> BuiltStep:
    built = BuiltStep(
        service_class=step.service_class,
        resource_type=step.resource_type,
        config=step.config,
        condition=step.condition,
        concurrency=step.concurrency,
        batch_size=step.batch_size,
        progress_actor=step.progress_actor,
    )
    if dataset_size is None or step.concurrency is None:
        return built
    batch_size = step.batch_size or DEFAULT_BATCH_SIZES[step.resource_type]
    batches = max(1, -(-dataset_size // batch_size))
    return replace(built, concurrency=min(step.concurrency, batches))


def _checked_steps(pipeline_name: str, steps: Any) -> tuple[StepDefinition, ...]:
    if not isinstance(steps, list | tuple):
        raise TypeError(
            f"PipelineDefinition {pipeline_name!r}: steps is {_described(steps)}. Pass a list of StepDefinition."
        )
    for place, step in enumerate(steps, start=1):
        if not isinstance(step, StepDefinition):
            raise TypeError(
                f"PipelineDefinition {pipeline_name!r}: step {place} of {len(steps)} is {_described(step)}. "
                "Wrap the processor: StepDefinition(service_class=..., resource_type=..., config=...)."
            )
    return tuple(steps)


def _require_member(where: str, attribute: str, value: Any, enum: type[Enum]) -> None:
    if isinstance(value, enum):
        return
    members = ", ".join(f"{enum.__name__}.{member.name}" for member in enum)
    raise TypeError(f"{where}: {attribute} is {_described(value)}. Use one of {members}.")


def _require_positive(where: str, attribute: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(
            f"{where}: {attribute} is {_described(value)}. Pass a whole number, or None for the default."
        )
    if value < 1:
        raise ValueError(f"{where}: {attribute} is {value}. Pass 1 or more, or None for the default.")


def _described(value: Any) -> str:
    text = repr(value)
    return f"{text if len(text) <= 80 else text[:77] + '...'} ({type(value).__name__})"


def _name_of(factory: Any) -> str:
    return str(getattr(factory, "__name__", None) or type(factory).__name__)
