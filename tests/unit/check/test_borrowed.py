"""What a plugin imports and does not declare: mixpeek's own packages must not hide it."""

import ast

import pytest

from toolchain.check.borrowed import borrowed_imports, imported_names
from toolchain.check.module import Module

PLATFORM = ("numpy>=1.26", "pandas>=2.2", "pyarrow>=17", "pydantic>=2.7", "pytest>=8.2")


def names(source):
    return imported_names([Module(ast.parse(source))])


def test_names_are_what_is_imported_absolutely():
    source = (
        "import os, docker.types, engine.media\nfrom httpx import get\nfrom . import own\nfrom .core import x\n"
    )
    assert names(source) == {"docker", "httpx"}
    assert names("def f():\n    import click\n") == {"click"}


@pytest.mark.parametrize(
    ("source", "declared", "borrowed"),
    [
        ("import docker", (), ["docker"]),
        ("import docker", ("docker>=7",), []),
        # What a declared package brings with it is declared.
        ("import requests", ("docker>=7",), []),
        ("import pydantic_core, dateutil, pluggy", (), []),
        # The name of a module is not always that of what brings it.
        ("import pynvml", (), ["pynvml"]),
        ("import pynvml", ("nvidia-ml-py",), []),
        # What is not here fails by itself, with its name.
        ("import nowhere_to_be_found", (), []),
    ],
)
def test_what_only_mixpeek_brings_is_borrowed(source, declared, borrowed):
    assert borrowed_imports(names(source), [*PLATFORM, *declared]) == borrowed


def test_markers_are_respected():
    assert borrowed_imports(names("import docker"), ["docker; python_version < '3'"]) == ["docker"]
