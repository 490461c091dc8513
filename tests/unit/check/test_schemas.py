"""The rules about features, schemas and metadata: each with its line and its remedy."""

from __future__ import annotations

import ast

import pytest

from toolchain.check.schemas import check_features, check_metadata, check_schemas
from toolchain.plugin.manifest import read_manifest

FEATURE = """features = [
    {
        "feature_type": "embedding",
        "feature_name": "vector",
        "embedding_dim": 8,
        "distance_metric": "cosine",
    },
]
"""


def findings(source):
    manifest = read_manifest(ast.parse(source))
    return [*check_features(manifest.values, manifest), *check_metadata(manifest.values, manifest)]


def test_a_feature_as_the_platform_reads_it():
    assert findings(FEATURE) == []


@pytest.mark.parametrize(
    ("old", "new", "rule", "line", "remedy"),
    [
        ('"feature_type"', '"type"', "schemas.feature-key", 3, "feature_type"),
        ('"feature_name"', '"name"', "schemas.feature-key", 4, "feature_name"),
        ('"embedding_dim"', '"dimensions"', "schemas.feature-key", 5, "embedding_dim"),
        ('"distance_metric"', '"distance"', "schemas.feature-key", 6, "distance_metric"),
        ('"distance_metric"', '"distance_metrics"', "schemas.feature-key", 6, "did you mean 'distance_metric'"),
        ('"embedding"', '"vector"', "schemas.feature-type", 3, "'embedding'"),
        ('"vector"', '"my vector"', "schemas.feature-name", 4, "underscores"),
        ('"vector"', "7", "schemas.feature-name", 4, "underscores"),
        ("8", "0", "schemas.embedding-dim", 5, "whole number"),
        ("8", "True", "schemas.embedding-dim", 5, "whole number"),
        ("8", "8.0", "schemas.embedding-dim", 5, "whole number"),
        ("8", "70_000", "schemas.embedding-dim", 5, "65536"),
        ('"cosine"', '"euclidean"', "schemas.distance-metric", 6, "'euclid'"),
        ('"cosine"', '"manhattan"', "schemas.distance-metric", 6, "cosine, euclid, dot"),
        ('"cosine"', "['cosine']", "schemas.distance-metric", 6, "cosine, euclid, dot"),
    ],
)
def test_a_feature_that_would_index_nothing(old, new, rule, line, remedy):
    found = [finding for finding in findings(FEATURE.replace(old, new)) if finding.rule == rule]
    assert (found[0].file, found[0].line) == ("manifest.py", line)
    assert remedy in found[0].remedy


@pytest.mark.parametrize(
    ("source", "rule"),
    [
        ("features = {}", "schemas.features"),
        ("features = ['vector']", "schemas.features"),
        ("x = 1", "schemas.no-features"),
        (FEATURE + "features = features + features", None),
        ("features = make()", None),
        ("features = [make()]", None),
        ("features = [{**make()}]", None),
        ("features = [{'feature_type': make()}]", "schemas.feature-key"),
        (FEATURE + 'metadata = {"category": "txt"}', "schemas.category"),
        (FEATURE + 'category = "txt"', "schemas.category"),
        (FEATURE + f'description = "{"x" * 501}"', "schemas.description"),
    ],
)
def test_other_shapes(source, rule):
    assert {finding.rule for finding in findings(source)} == ({rule} if rule else set())


def test_two_features_of_one_name():
    source = FEATURE.replace("]\n", FEATURE[13:])
    assert "schemas.feature-name" in {finding.rule for finding in findings(source)}


MODEL = {"kind": "pydantic", "name": "M"}
OTHER = {"kind": "other", "name": "class M"}
MANIFEST = "metadata = {}\ninput_schema = A\noutput_schema = B\nparameter_schema = C\n"


@pytest.mark.parametrize(
    ("schemas", "rules"),
    [
        ({"input_schema": MODEL, "output_schema": MODEL}, []),
        ({"input_schema": MODEL, "output_schema": MODEL, "parameter_schema": OTHER}, ["schemas.not-pydantic"]),
        ({"input_schema": OTHER, "output_schema": MODEL}, ["schemas.not-pydantic"]),
        ({"output_schema": MODEL}, ["schemas.missing"]),
        ({}, ["schemas.missing", "schemas.missing"]),
        ({"input_schema": {"kind": "dict", "name": "dict"}, "output_schema": MODEL}, ["schemas.not-pydantic"]),
        ({"input_schema": "pydantic", "output_schema": MODEL}, ["schemas.missing"]),
    ],
)
def test_schemas(schemas, rules):
    found = check_schemas({"schemas": schemas}, read_manifest(ast.parse(MANIFEST)))
    assert [finding.rule for finding in found] == rules


def test_a_schema_that_is_no_model_has_its_line():
    found = check_schemas(
        {"schemas": {"input_schema": OTHER, "output_schema": MODEL}}, read_manifest(ast.parse(MANIFEST))
    )
    assert (found[0].file, found[0].line) == ("manifest.py", 2)


def test_the_flat_dialect_may_use_dictionaries():
    manifest = read_manifest(ast.parse("feature_extractor_name = 'x'"))
    assert check_schemas({"schemas": {"output_schema": {"kind": "dict", "name": "dict"}}}, manifest) == []
