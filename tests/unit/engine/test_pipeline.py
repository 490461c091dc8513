"""The contract's own spellings, its defaults, and errors that name the field."""

import copy
import pickle
import runpy
import sys
from dataclasses import dataclass

import pytest

from engine.plugins.extractors import construction, pipeline
from engine.plugins.extractors.pipeline import (
    BuiltStep,
    PipelineDefinition,
    ResourceType,
    RowCondition,
    StepDefinition,
    build_pipeline_steps,
)


@dataclass
class Config:
    threshold: float = 0.5


class Processor:
    constructed = 0

    def __init__(self, config, progress_actor=None):
        type(self).constructed += 1
        self.config = config
        self.progress_actor = progress_actor

    def __call__(self, batch):
        return batch


def build(service_class, **settings):
    step = StepDefinition(service_class=service_class, **settings)
    return build_pipeline_steps(PipelineDefinition(name="p", version="1.0.0", steps=[step]))


def test_the_contract_example_builds_one_callable_step():
    steps = [
        StepDefinition(
            service_class=Processor,
            resource_type=ResourceType.CPU,
            config=Config(threshold=0.7),
            condition=RowCondition.IS_TEXT,
        )
    ]
    built = build_pipeline_steps(PipelineDefinition(name="my_extractor", version="1.0.0", steps=steps))
    assert isinstance(built, list)
    (step,) = built
    assert isinstance(step, BuiltStep)
    assert (step.name, step.condition, step.batch_size) == ("Processor", RowCondition.IS_TEXT, None)
    batch = object()
    assert step(batch) is batch
    assert step.service.config == Config(threshold=0.7)


def test_only_a_service_class_is_needed():
    step = StepDefinition(Processor)
    assert (step.resource_type, step.condition, step.enabled) == (ResourceType.CPU, RowCondition.ALWAYS, True)


def test_the_processor_is_constructed_at_the_first_call_and_once():
    Processor.constructed = 0
    (step,) = build(Processor, config=Config())
    assert Processor.constructed == 0
    step(1)
    step(2)
    assert Processor.constructed == 1


def test_disabled_steps_are_left_out_and_the_order_is_kept():
    def first(config):
        return lambda batch: batch

    steps = [StepDefinition(Processor), StepDefinition(first, enabled=False), StepDefinition(first)]
    built = build_pipeline_steps(PipelineDefinition("p", "1.0.0", steps))
    assert [step.name for step in built] == ["Processor", "first"]


def test_the_same_step_may_occur_twice_with_a_processor_each():
    step = StepDefinition(Processor, config=1)
    first, second = build_pipeline_steps(PipelineDefinition("p", "1.0.0", [step, step]))
    assert first.service is not second.service


def test_later_changes_to_the_authors_list_do_not_reach_the_pipeline():
    steps = [StepDefinition(Processor)]
    definition = PipelineDefinition("p", "1.0.0", steps)
    steps.clear()
    assert len(build_pipeline_steps(definition)) == 1


@pytest.mark.parametrize(("dataset_size", "expected"), [(None, 8), (0, 1), (1, 1), (64, 1), (65, 2), (10_000, 8)])
def test_concurrency_is_no_more_than_the_batches_there_are(dataset_size, expected):
    definition = PipelineDefinition("p", "1.0.0", [StepDefinition(Processor, concurrency=8)])
    (step,) = build_pipeline_steps(definition, dataset_size=dataset_size)
    assert step.concurrency == expected


@pytest.mark.parametrize("field", ["batch_size", "concurrency"])
@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), ("8", TypeError), (True, TypeError)]
)
def test_sizes_that_are_no_positive_integers_are_refused(field, value, error):
    with pytest.raises(error, match=rf"StepDefinition for Processor: {field} is .*None for the default"):
        StepDefinition(Processor, **{field: value})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resource_type": "cpu"}, "resource_type is 'cpu'.*ResourceType.CPU"),
        ({"condition": "is_text"}, "condition is 'is_text'.*RowCondition.IS_TEXT"),
        ({"enabled": 1}, "enabled is 1 "),
        ({"service_class": "Processor"}, "service_class is 'Processor'.*service_class=MyProcessor"),
    ],
)
def test_wrong_types_name_the_field_and_what_to_write(settings, message):
    with pytest.raises(TypeError, match=message):
        StepDefinition(**{"service_class": Processor, **settings})


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"name": ""}, ValueError, "name is empty"),
        ({"version": None}, TypeError, "version is None"),
        ({"steps": StepDefinition(Processor)}, TypeError, "Pass a list of StepDefinition"),
        ({"steps": [StepDefinition(Processor), Processor]}, TypeError, "step 2 of 2 .*Wrap the processor"),
    ],
)
def test_a_wrong_pipeline_names_the_field_or_the_step(settings, error, message):
    with pytest.raises(error, match=message):
        PipelineDefinition(**{"name": "p", "version": "1.0.0", "steps": [], **settings})


@pytest.mark.parametrize(("size", "error"), [(-1, ValueError), ("10", TypeError), (True, TypeError)])
def test_a_wrong_dataset_size_is_refused(size, error):
    with pytest.raises(error, match=r"dataset_size"):
        build_pipeline_steps(PipelineDefinition("p", "1.0.0", []), dataset_size=size)


def test_building_something_else_says_what_to_pass():
    with pytest.raises(TypeError, match=r"Pass PipelineDefinition\("):
        build_pipeline_steps([StepDefinition(Processor)])


def test_a_pickle_and_a_copy_carry_settings_but_no_processor():
    (step,) = build(Processor, config=Config())
    step(1)
    for twin in (pickle.loads(pickle.dumps(step)), copy.deepcopy(step)):
        assert twin._service is None
        assert twin.config == Config()
        assert twin(3) == 3


class Recording:
    def __call__(self, batch):
        return batch


class WithActor(Recording):
    def __init__(self, config, progress_actor=None):
        self.got = (config, progress_actor)


class ConfigOnly(Recording):
    def __init__(self, config):
        self.got = (config,)


class Keywords(Recording):
    def __init__(self, config=None, **kwargs):
        self.got = (config, kwargs["progress_actor"])


class KeywordConfig(Recording):
    def __init__(self, *, config):
        self.got = (config,)


class OnlyKeywords(Recording):
    def __init__(self, **kwargs):
        self.got = (kwargs.get("config"), kwargs["progress_actor"])


class Nothing(Recording):
    def __init__(self):
        self.got = ()


class DefaultConfig(Recording):
    def __init__(self, config="default"):
        self.got = (config,)


class OnlyActor(Recording):
    def __init__(self, progress_actor=None):
        self.got = (progress_actor,)


@pytest.mark.parametrize(
    ("service_class", "config", "expected"),
    [
        (WithActor, "c", ("c", "actor")),
        (WithActor, None, (None, "actor")),
        (ConfigOnly, "c", ("c",)),
        (ConfigOnly, None, (None,)),
        (Keywords, "c", ("c", "actor")),
        (Keywords, None, (None, "actor")),
        (KeywordConfig, "c", ("c",)),
        (OnlyKeywords, "c", ("c", "actor")),
        (Nothing, None, ()),
        (DefaultConfig, None, ("default",)),
        (OnlyActor, None, ("actor",)),
    ],
)
def test_the_constructor_gets_what_its_signature_takes(service_class, config, expected):
    (step,) = build(service_class, config=config, progress_actor="actor")
    assert step.service.got == expected


def test_an_attached_actor_does_not_replace_the_authors():
    (step,) = build(WithActor, config="c", progress_actor="author")
    step.attach_progress("executor")
    assert step.service.got == ("c", "author")


@pytest.mark.parametrize("service_class", [Nothing, OnlyActor])
def test_a_constructor_that_cannot_take_the_config_is_explained(service_class):
    (step,) = build(service_class, config="c")
    with pytest.raises(TypeError, match=r"cannot be called with a step's config.*__init__\(self, config"):
        _ = step.service


def test_a_type_error_inside_the_constructor_stays_the_authors_own():
    def factory(config):
        raise TypeError("mine")

    (step,) = build(factory, config=1)
    with pytest.raises(TypeError, match=r"^mine$"):
        _ = step.service


def test_a_factory_that_gives_no_callable_is_explained():
    def factory(config):
        return 5

    (step,) = build(factory, config=1)
    with pytest.raises(TypeError, match=r"factory gave a int, which cannot be called.*__call__"):
        _ = step.service


@pytest.mark.parametrize("module", [pipeline, construction])
def test_the_contract_imports_without_pandas_and_pyarrow(module, monkeypatch):
    for name in ("pandas", "numpy", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)  # an import of it now raises
    assert runpy.run_path(module.__file__)
