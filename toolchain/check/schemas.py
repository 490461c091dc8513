"""Are the schemas Pydantic models, and do the features have exactly the keys that the platform reads?"""

from __future__ import annotations

import difflib
import reprlib
from collections.abc import Iterator
from typing import Any

from toolchain.check.untrusted import fields, text
from toolchain.core.findings import Finding, Severity, error
from toolchain.plugin.manifest import UNKNOWN, Manifest
from toolchain.plugin.scaffold import CATEGORIES

MANIFEST = "manifest.py"
FEATURE_KEYS = ("feature_type", "feature_name", "embedding_dim", "distance_metric")
FEATURE_TYPES = ("embedding",)
DISTANCE_METRICS = ("cosine", "euclid", "dot")
DIMENSION_LIMIT = 65_536

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 120
_SHORT.maxlevel = 3

# What authors write instead. The platform accepts these in silence and then indexes nothing.
_KEY_MISTAKES = {
    "type": "feature_type",
    "name": "feature_name",
    "dimensions": "embedding_dim",
    "dimension": "embedding_dim",
    "dim": "embedding_dim",
    "distance": "distance_metric",
    "metric": "distance_metric",
}
_METRIC_MISTAKES = {"euclidean": "euclid", "l2": "euclid", "dot_product": "dot", "ip": "dot", "cos": "cosine"}


def check_schemas(described: dict[str, Any], manifest: Manifest) -> list[Finding]:
    """Findings about the three schemas; ``described`` is the guest's account of the manifest."""
    findings = []
    schemas = fields(described.get("schemas"))
    for name in ("input_schema", "output_schema", "parameter_schema"):
        schema = fields(schemas.get(name))
        if not schema:
            if name != "parameter_schema" and not (manifest.is_flat and name == "input_schema"):
                remedy = f"add a Pydantic model: class …(BaseModel), then {name} = that class"
                message = f"the manifest exports no {name}"
                findings.append(error("schemas.missing", message, remedy, file=MANIFEST))
        elif schema.get("kind") != "pydantic" and not (manifest.is_flat and schema.get("kind") == "dict"):
            message = f"{name} is {text(schema.get('name'))}, not a Pydantic model"
            remedy = "derive the class from pydantic.BaseModel and pass the class itself, not an instance"
            line = manifest.line(name)
            findings.append(error("schemas.not-pydantic", message, remedy, file=MANIFEST, line=line))
    return findings


def check_features(values: dict[str, Any], manifest: Manifest) -> list[Finding]:
    """Findings about ``features``; ``values`` are the manifest's, from the guest or from the syntax tree."""
    features = values.get("features", UNKNOWN)
    if features is UNKNOWN:
        return _features_missing(manifest)
    if not isinstance(features, list):
        message = f"features is a {type(features).__name__}, not a list of dictionaries"
        return [
            error("schemas.features", message, "features = [{…}]", file=MANIFEST, line=manifest.line("features"))
        ]
    findings: list[Finding] = []
    names: set[str] = set()
    for position, feature in enumerate(features):
        findings.extend(_check_feature(feature, position, manifest))
        name = feature.get("feature_name") if isinstance(feature, dict) else None
        if isinstance(name, str) and name in names:
            message = f"two features are called {_shown(name)}"
            line = manifest.line(f"features.{position}.feature_name")
            findings.append(error("schemas.feature-name", message, "rename one", file=MANIFEST, line=line))
        if isinstance(name, str):
            names.add(name)
    return findings


def check_metadata(values: dict[str, Any], manifest: Manifest) -> list[Finding]:
    """Findings about what the manifest says besides name, version, schemas and features."""
    metadata = values.get("metadata")
    source = metadata if isinstance(metadata, dict) else values
    findings = []
    category = source.get("category")
    if isinstance(category, str) and category not in CATEGORIES:
        remedy = f"use one of {', '.join(CATEGORIES)}{_suggest(category, CATEGORIES)}"
        line = manifest.line("metadata.category") or manifest.line("category")
        findings.append(
            error(
                "schemas.category", f"the category {_shown(category)} is unknown", remedy, file=MANIFEST, line=line
            )
        )
    description = source.get("description")
    if isinstance(description, str) and len(description) > 500:
        message = f"the description has {len(description)} characters; the platform takes 500"
        line = manifest.line("metadata.description") or manifest.line("description")
        findings.append(error("schemas.description", message, "shorten it", file=MANIFEST, line=line))
    return findings


def _features_missing(manifest: Manifest) -> list[Finding]:
    if not manifest.values or "features" in manifest.values:
        return []  # no manifest, or computed there: other findings say why
    remedy = "add features = [{'feature_type': 'embedding', 'feature_name': …, 'embedding_dim': …, …}]"
    message = "the manifest exports no features: nothing would be indexed"
    return [Finding(Severity.WARNING, "schemas.no-features", message, remedy, MANIFEST)]


def _check_feature(feature: Any, position: int, manifest: Manifest) -> Iterator[Finding]:
    path = f"features.{position}"
    if feature is UNKNOWN:
        return
    if not isinstance(feature, dict):
        message = f"feature {position + 1} is a {type(feature).__name__}, not a dictionary"
        yield error("schemas.features", message, "write it as {…}", file=MANIFEST, line=manifest.line(path))
        return
    for key in feature:
        if key not in FEATURE_KEYS and key is not UNKNOWN:
            right = _KEY_MISTAKES.get(key)
            remedy = f"rename it to {right!r}" if right else f"remove it{_suggest(key, FEATURE_KEYS)}"
            message = (
                f"feature {position + 1} has an unknown key {_shown(key)}; the platform ignores it in silence"
            )
            yield error("schemas.feature-key", message, remedy, file=MANIFEST, line=manifest.line(f"{path}.{key}"))
    for key in FEATURE_KEYS:
        if key not in feature:
            if UNKNOWN in feature:
                continue  # a part of the dictionary that only running the code would tell may hold it
            message = f"feature {position + 1} has no {_shown(key)}"
            yield error(
                "schemas.feature-key", message, f"add {_shown(key)}", file=MANIFEST, line=manifest.line(path)
            )
        elif feature[key] is not UNKNOWN and (problem := _PROBLEMS[key](feature[key])) is not None:
            message, remedy = problem
            message = f"feature {position + 1}: {message}"
            yield error(
                f"schemas.{key.replace('_', '-')}",
                message,
                remedy,
                file=MANIFEST,
                line=manifest.line(f"{path}.{key}"),
            )


def _type_problem(value: Any) -> tuple[str, str] | None:
    if value in FEATURE_TYPES:
        return None
    return f"feature_type is {_shown(value)}", "use 'embedding', the one documented type"


def _name_problem(value: Any) -> tuple[str, str] | None:
    if isinstance(value, str) and value.isidentifier():
        return None
    return (
        f"feature_name is {_shown(value)}",
        "use letters, digits and underscores: it is also the output column's name",
    )


def _dimension_problem(value: Any) -> tuple[str, str] | None:
    if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= DIMENSION_LIMIT:
        return None
    return (
        f"embedding_dim is {_shown(value)}",
        f"use a whole number from 1 to {DIMENSION_LIMIT}, the vectors' length",
    )


def _metric_problem(value: Any) -> tuple[str, str] | None:
    if value in DISTANCE_METRICS:
        return None
    right = _METRIC_MISTAKES.get(value.lower()) if isinstance(value, str) else None
    remedy = f"write {right!r}" if right else f"use one of {', '.join(DISTANCE_METRICS)}"
    return f"distance_metric is {_shown(value)}", remedy


_PROBLEMS = {
    "feature_type": _type_problem,
    "feature_name": _name_problem,
    "embedding_dim": _dimension_problem,
    "distance_metric": _metric_problem,
}


def _shown(value: Any) -> str:
    """A value of the plugin's as in Python, cut to what a message can hold."""
    return _SHORT.repr(value)


def _suggest(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(str(word), known, 1)
    return f" (did you mean {near[0]!r}?)" if near else ""
