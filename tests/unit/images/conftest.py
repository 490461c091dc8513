"""What the unit tests of images share: a cache in a temporary folder, wheels made by hand, and no way out."""

from __future__ import annotations

import hashlib
import subprocess
import zipfile

import pytest

from images.files import Cache
from images.pylock import LockedWheel
from images.target import Target
from tests.support.wheels import digest
from toolchain.core.containers.model import ContainerEngine


@pytest.fixture(autouse=True)
def _no_way_out(monkeypatch):
    """Unit tests start no programs; what they may connect to says the conftest above."""

    def refuse(*args, **kwargs):
        raise AssertionError("a unit test tried to spawn")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    for name in ("MIXPEEK_INDEX_URL", "MIXPEEK_CACHE_DIR", "MIXPEEK_BASE_IMAGE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


@pytest.fixture
def target():
    return Target("3.11.2", "2.36", "amd64")


@pytest.fixture
def connection():
    """An engine that nothing reaches: tests put their own calls in its place."""
    return ContainerEngine(None, "docker", "", "unix:///x", "20.10", "1.41", "amd64", local=True)


@pytest.fixture
def make_wheel(tmp_path):
    """Write a wheel of ``files`` (names to bytes) and ``entries`` (ZipInfo, bytes); ``record`` replaces RECORD."""

    def make(files=None, *, name="demo", entries=(), record=None, compression=zipfile.ZIP_DEFLATED):
        files = {f"{name}/__init__.py": b"x = 1\n", f"{name}-1.0.dist-info/METADATA": b"Name: x\n"} | (files or {})
        path = tmp_path / f"{name}-1.0-py3-none-any.whl"
        rows = [f"{file},{digest(data)},{len(data)}" for file, data in files.items()]
        rows += [f"{info.filename},{digest(data)},{len(data)}" for info, data in entries]
        text = record if record is not None else "\n".join([*rows, f"{name}-1.0.dist-info/RECORD,,"])
        with zipfile.ZipFile(path, "w", compression) as archive:
            for file, data in files.items():
                archive.writestr(file, data)
            for info, data in entries:
                archive.writestr(info, data)
            if text:
                archive.writestr(f"{name}-1.0.dist-info/RECORD", text)
        return path

    return make


@pytest.fixture
def locked():
    """The lock's entry for a file on disk."""

    def entry(path, *, name="demo", url=None):
        data = path.read_bytes()
        address = url or f"https://index.test/{path.name}"
        return LockedWheel(name, "1.0", path.name, address, hashlib.sha256(data).hexdigest(), len(data))

    return entry
