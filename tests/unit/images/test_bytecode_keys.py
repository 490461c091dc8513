"""What one distribution's interpreter wrote never gets into images on another."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from images.base.model import BaseImage
from images.bytecode import Bytecode
from images.dependencies import DependencyLayers
from images.fragments import Fragment
from images.image_config import ImageConfig
from images.installed import Installation
from images.pylock import Lock, LockedWheel


@pytest.fixture
def base(target):
    config = ImageConfig("amd64", (), {}, {})
    return BaseImage("b:1", "sha256:22", "pulled", "python:3.11", "sha256:33", "recipe", target, config)


@pytest.fixture
def places(cache, target):
    """Where bytecode and the layer's record lie for a base."""
    wheel = LockedWheel("demo", "1.0", "demo-1.0-py3-none-any.whl", "", "00" * 32, 0)
    piece = Fragment(wheel, "key", "/opt", Path("x"), 0, "", (), {})
    wanted = Installation(Lock((wheel,), target, ""), "/opt", "dependencies")

    def find(base):
        record = DependencyLayers(cache, base)._record(wanted)
        return Bytecode(cache)._path(piece, base), record

    return find


def test_another_distribution_with_the_same_python_has_its_own(base, places):
    other = replace(base, source="evil/python:3.11", source_id="sha256:44")
    assert not set(places(base)) & set(places(other))


def test_our_runtime_alone_changes_nothing(base, places):
    assert places(base) == places(replace(base, id="sha256:55", recipe="another"))


def test_a_build_that_finds_its_layer_tells_what_collides_too(cache, base, target):
    wanted, layers = Installation(Lock((), target, ""), "/opt", "dependencies"), DependencyLayers(cache, base)
    assert layers.remarks(wanted) == []
    cache.write(layers._record(wanted), json.dumps({"remarks": ["x.py comes twice"]}).encode())
    assert layers.remarks(wanted) == ["x.py comes twice"]
