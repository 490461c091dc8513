"""Both published dialects, read without running a line."""

from __future__ import annotations

import ast
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolchain.plugin.manifest import UNKNOWN, SourceProblem, parse_source, read_manifest


def read(source):
    return read_manifest(ast.parse(source))


def test_the_dialect_with_metadata():
    manifest = read('metadata = {\n    "feature_extractor_name": "mine",\n    "version": "1.0.0",\n}\n')
    assert (manifest.name, manifest.version, manifest.is_flat) == ("mine", "1.0.0", False)
    assert (manifest.name_line(), manifest.line("metadata.version")) == (2, 3)


def test_the_flat_dialect():
    manifest = read('feature_extractor_name = "mine"\nversion = "v1"\nfeature_uri = "mixpeek://x"\n')
    assert (manifest.name, manifest.version, manifest.is_flat) == ("mine", "v1", True)
    assert manifest.name_line() == 1


def test_the_short_key():
    assert read('metadata = {"name": "mine"}').name == "mine"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("x = 1 + 1j", UNKNOWN),
        ("x = 0x" + "f" * 5000, UNKNOWN),
        ("x = -5", -5),
        ("x: int = 5", 5),
        ("y = 'a'\nx = [y, {'k': y}]", ["a", {"k": "a"}]),
        ("x = y = 'a'", "a"),
        ("x = 1\nx = 2", 2),
        ("x = open('/etc/passwd').read()", UNKNOWN),
        ("x = {f'{1}': 1}", {UNKNOWN: UNKNOWN}),
        ("x = {**make(), 'a': 1}", {UNKNOWN: UNKNOWN, "a": 1}),
        ("y = {'a': 1}\nx = {**y, 'b': 2}", {"a": 1, "b": 2}),
        ("x = nowhere", UNKNOWN),
        ("x = [i for i in range(3)]", UNKNOWN),
        ("if True:\n    x = 1", None),
    ],
)
def test_values(source, value):
    assert read(source).values.get("x") == value


def test_the_line_of_the_nearest_thing_around():
    manifest = read("features = [\n    {\n        'a': 1,\n    },\n]\n")
    assert [manifest.line(path) for path in ("features.0.a", "features.0.b", "features.7", "other")] == [
        3,
        2,
        1,
        None,
    ]


def test_dependencies_with_their_lines():
    manifest = read("dependencies = [\n    'pandas',\n    make(),\n    'numpy>=2',\n]\n")
    assert manifest.dependencies == (("pandas", 2), ("numpy>=2", 4))


@pytest.mark.parametrize(
    "source", ["metadata = 5", "metadata = {}", "metadata = {'version': 1}", "dependencies = 5"]
)
def test_values_of_another_type_are_none(source):
    manifest = read(source)
    assert (manifest.name, manifest.version, manifest.dependencies) == (None, None, ())


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (b"x = (\n", 1),
        (b"x = 1\ny = 'caf\xe9'\n", 2),
        (b"# coding: nonsense\n", None),
        (b"x = '\0'", None),
        (b"-" * 300_000 + b"1", None),
        (b"a" + b".b" * 100_000, None),
    ],
)
def test_what_does_not_parse(data, line):
    problem = parse_source(data, "manifest.py")
    assert isinstance(problem, SourceProblem)
    assert problem.message
    assert line is None or problem.line == line


def test_other_encodings_are_python_too():
    assert isinstance(parse_source(b"# coding: latin-1\nx = '\xe9'\n", "manifest.py"), ast.Module)


def test_an_authors_warnings_are_not_ours():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(parse_source(b"x = '\\d'\n", "manifest.py"), ast.Module)


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_any_bytes_are_a_module_or_a_problem(data):
    parsed = parse_source(data, "manifest.py")
    if isinstance(parsed, ast.Module):
        read_manifest(parsed)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ('compute_profile = {"gpu_memory_gb": 16}', 16.0),
        ('metadata = {"compute_profile": {"gpu_memory_gb": 7.5}}', 7.5),
        ('compute_profile = {"gpu_memory_gb": 0}', None),
        ('compute_profile = {"gpu_memory_gb": True}', None),
        ('compute_profile = {"gpu_memory_gb": "16"}', None),
        ('compute_profile = {"gpu_memory_gb": guess()}', None),
        ("compute_profile = 16", None),
        ("", None),
    ],
)
def test_the_memory_that_a_manifest_asks_for(source: str, wanted: float | None) -> None:
    assert read_manifest(ast.parse(source)).gpu_memory_gb == wanted
