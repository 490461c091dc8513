"""What one distribution's interpreter wrote never gets into images on another."""

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from images import bytecode
from images.base.model import BaseImage
from images.bytecode import Bytecode
from images.dependencies import DependencyLayers, Installation
from images.fragments import Fragment, Source
from images.image_config import ImageConfig
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


class Standing:
    """Stands for the container: the text of each source in capitals, nothing for one that begins with ``!``."""

    def compile(self, chunks):
        self.asked = [source.path for chunk in chunks for source in chunk.sources]
        for chunk in chunks:
            data = chunk.tar.read_bytes()
            for source in chunk.sources:
                text = data[source.offset : source.offset + source.size]
                yield b"" if text.startswith(b"!") else text.upper()

    def close(self):
        pass


def bytecode_of(cache, base, tmp_path, *texts):
    """The entries that are written for sources of these texts, and the paths that were compiled."""
    tar = tmp_path / "piece.tar"
    tar.write_bytes(b"".join(texts))
    starts = [sum(map(len, texts[:number])) for number in range(len(texts))]
    sources = tuple(
        Source(f"opt/deps/pkg/m{number}.py", start, len(text))
        for number, (start, text) in enumerate(zip(starts, texts, strict=True))
    )
    wheel = LockedWheel("demo", "1.0", "demo-1.0-py3-none-any.whl", "", "00" * 32, 0)
    piece = Fragment(wheel, str(texts), "/opt/deps", tar, tar.stat().st_size, "", sources, {})
    compiler = Standing()
    (path,) = Bytecode(cache).compile([piece], compiler, base)
    with tarfile.open(path, "r:") as archive:
        found = {
            member.name.rpartition("/")[2]: archive.extractfile(member).read()
            for member in archive
            if member.isfile()
        }
        folders = [member.name for member in archive if member.isdir()]
    return found, compiler.asked, folders


def test_a_source_that_does_not_compile_hides_the_bytecode_of_another_wheels(cache, base, tmp_path):
    found, _, folders = bytecode_of(cache, base, tmp_path, b"one", b"!two")
    assert found == {"m0.cpython-311.pyc": b"ONE", "m1.cpython-311.pyc": b""}
    assert folders == ["opt/deps/pkg", "opt/deps/pkg/__pycache__"]


def test_sources_beyond_the_limits_are_not_compiled(cache, base, tmp_path, monkeypatch):
    monkeypatch.setattr(bytecode, "_SOURCE_LIMIT", 4)
    monkeypatch.setattr(bytecode, "_SOURCES_LIMIT", 6)
    found, asked, _ = bytecode_of(cache, base, tmp_path, b"one", b"large", b"two", b"six")
    assert [path[-5:] for path in asked] == ["m0.py", "m2.py"]
    assert [found[f"m{number}.cpython-311.pyc"] for number in range(4)] == [b"ONE", b"", b"TWO", b""]


def test_bytecode_that_lost_its_bytes_is_made_again(cache, base, tmp_path):
    first = bytecode_of(cache, base, tmp_path, b"one")
    (path,) = (cache.root / "bytecode").rglob("*.tar")
    path.write_bytes(b"")
    assert bytecode_of(cache, base, tmp_path, b"one") == first
