"""Imports the plugin and writes down what it says of itself: manifest, schemas, steps."""

from __future__ import annotations

import inspect
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

from sandbox.guest.stages import StageContext
from sandbox.guest.stages.loading import Problems, public_name
from sandbox.guest.stages.plain import plain

MANIFEST_NAMES = (
    "metadata",
    "features",
    "supported_input_types",
    "dependencies",
    "feature_extractor_name",
    "version",
    "description",
    "category",
    "feature_uri",
    "compute_profile",
    "input_mappings",
    "tier",
    "tier_label",
)
SCHEMA_NAMES = ("input_schema", "output_schema", "parameter_schema")


def run(context: StageContext) -> tuple[dict[str, Any], bytes]:
    """The facts of the plugin, and every problem met on the way."""
    problems = Problems(context.root)
    context.emit("importing manifest.py")
    manifest = load(context, "manifest", problems)
    context.emit("importing pipeline.py")
    pipeline = load(context, "pipeline", problems)
    body = {
        "manifest": _describe_manifest(manifest) if manifest else None,
        "pipeline": None,
        "problems": problems.items,
    }
    if pipeline is not None:
        context.emit("calling build_steps")
        built = build(context, pipeline, problems)
        if built is not None:
            body["pipeline"] = _describe_steps(built, problems)
    return body, b""


def load(context: StageContext, module: str, problems: Problems) -> ModuleType | None:
    """Import one of the plugin's modules."""
    return problems.attempt(f"{module}.import", lambda: import_module(f"{context.name}.{module}"))


def build(
    context: StageContext, pipeline: ModuleType, problems: Problems, *, dataset_size: int | None = None
) -> dict[str, Any] | None:
    """Call ``build_steps`` as the platform does; its dictionary, or ``None`` with a problem noted."""
    function = getattr(pipeline, "build_steps", None)
    if not callable(function):
        code = "pipeline.build-steps-missing" if function is None else "pipeline.build-steps-not-callable"
        problems.add(code, "pipeline.py has no callable build_steps", file="pipeline.py")
        return None
    parameters = dict(context.batches.get("parameters", {}))
    request = SimpleNamespace(
        extractor_config=SimpleNamespace(parameters=parameters, feature_extractor_name=context.name),
        feature_extractor_name=context.name,
    )
    offered = {"container": None, "base_steps": None, "dataset_size": dataset_size, "content_flags": None}
    built = problems.attempt(
        "pipeline.build-steps-raised", lambda: function(request, **_accepted(function, offered))
    )
    if built is None:
        if not problems.items:
            problems.add("pipeline.result", "build_steps returned None", file="pipeline.py")
        return None
    if not isinstance(built, dict) or not isinstance(built.get("steps"), (list, tuple)):
        problems.add(
            "pipeline.result",
            f"build_steps returned {type(built).__name__}, not a dictionary with a list under 'steps'",
            file="pipeline.py",
        )
        return None
    return built


def _accepted(function: Any, offered: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments that the function can take."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return {}
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return offered
    names = {parameter.name for parameter in parameters if parameter.kind is not parameter.POSITIONAL_ONLY}
    return {name: value for name, value in offered.items() if name in names}


def _describe_manifest(manifest: ModuleType) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "present": [name for name in (*MANIFEST_NAMES, *SCHEMA_NAMES) if hasattr(manifest, name)],
        "values": {name: plain(getattr(manifest, name)) for name in MANIFEST_NAMES if hasattr(manifest, name)},
        "schemas": {},
    }
    for name in SCHEMA_NAMES:
        if hasattr(manifest, name):
            facts["schemas"][name] = _describe_schema(getattr(manifest, name))
    return facts


def _describe_schema(schema: Any) -> dict[str, Any]:
    from pydantic import BaseModel

    if isinstance(schema, type) and issubclass(schema, BaseModel):
        fields = {name: field.is_required() for name, field in schema.model_fields.items()}
        return {"kind": "pydantic", "name": schema.__name__, "fields": plain(fields)}
    if isinstance(schema, dict):
        return {"kind": "dict", "name": "dict", "fields": plain(dict.fromkeys(schema, False))}
    what = f"class {public_name(schema)}" if isinstance(schema, type) else f"a {type(schema).__name__}"
    return {"kind": "other", "name": what, "fields": {}}


def _describe_steps(built: dict[str, Any], problems: Problems) -> dict[str, Any]:
    steps = [_describe_step(step, position, problems) for position, step in enumerate(built["steps"])]
    if not steps:
        problems.add("pipeline.no-steps", "build_steps returned no step", file="pipeline.py")
    prepare = built.get("prepare")
    if prepare is not None and not callable(prepare):
        problems.add(
            "pipeline.prepare", f"'prepare' is a {type(prepare).__name__}, not callable", file="pipeline.py"
        )
    return {"steps": steps, "prepare": "absent" if prepare is None else "present"}


def _describe_step(step: Any, position: int, problems: Problems) -> dict[str, Any]:
    from engine.plugins.extractors.pipeline import BuiltStep

    if isinstance(step, BuiltStep):
        name = step.name
        problems.attempt("pipeline.step-construct", lambda: step.service)
        return {
            "name": name,
            "kind": "definition",
            "resource_type": plain(step.resource_type.value),
            "condition": plain(step.condition.value),
            "batch_size": plain(step.batch_size),
        }
    if not callable(step):
        problems.add(
            "pipeline.step-not-callable",
            f"step {position + 1} is a {type(step).__name__}, neither a built step nor callable",
            file="pipeline.py",
        )
    return {"name": public_name(step), "kind": "callable", "resource_type": "cpu", "condition": "always"}
