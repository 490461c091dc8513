"""One engine, one base and one filled cache for all; caches of their own start from its wheels."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from images.base import ensure_base
from images.build import BuildRequest, build
from images.code import SourceFile
from images.files import Cache
from images.requirements import requirement_set
from toolchain.core.containers import connect, options_from_environment
from toolchain.core.reporter import SilentReporter


@pytest.fixture(scope="session")
def engine():
    """The engine of this machine, started if need be."""
    connected = connect(options_from_environment())
    yield connected
    connected.close()


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    """The cache that the whole suite fills."""
    return Cache(tmp_path_factory.mktemp("images-cache"))


@pytest.fixture(scope="session")
def base(engine, warm):
    return ensure_base(engine, SilentReporter(), warm)


@pytest.fixture
def fresh(warm, tmp_path):
    """A cache that has the suite's wheels and locks, and has built nothing."""
    for name in ("wheels", "locks-resolved"):
        if (warm.root / name).is_dir():
            shutil.copytree(warm.root / name, tmp_path / "cache" / name, copy_function=os.link)
    return Cache(tmp_path / "cache")


@pytest.fixture
def plugin(engine, tmp_path):
    """A plugin of one file; its images go when the test ends."""
    folder = tmp_path / "plugin"
    folder.mkdir()
    made = Plugin(engine, folder)
    yield made
    for tag in made.tags:
        remove(engine, tag)


class Plugin:
    """A plugin to build again and again; ``tags`` collects what is to be removed."""

    def __init__(self, engine, folder, name="imagestest"):
        self.engine, self.folder, self.name = engine, folder, name
        self.tags = set()
        self.write("manifest.py", "x = 1\n")

    def write(self, name, text):
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def request(self, *requirements, **settings):
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        sources = tuple(SourceFile(path.relative_to(self.folder).as_posix(), path) for path in files)
        return BuildRequest(self.name, sources, requirement_set(requirements, source="manifest.py"), **settings)

    def build(self, cache, *requirements, engine=None, **settings):
        built = build(self.request(*requirements, **settings), engine or self.engine, SilentReporter(), cache)
        self.tags.add(built.tag)
        return built


def remove(engine, reference):
    """Remove an image with all that is above it being gone or not."""
    import docker.errors

    try:
        engine.client.api.remove_image(reference, force=True)
    except docker.errors.APIError:
        pass


def run_inside(engine, image, program, **settings):
    """What ``program`` prints in a container of ``image`` without network."""
    output = engine.client.containers.run(
        image, ["-c", program], entrypoint=["/opt/mixpeek/python"], network_mode="none", remove=True, **settings
    )
    return output.decode().strip()


def build_containers(engine):
    """Containers that a build made and did not remove."""
    return engine.client.api.containers(all=True, filters={"label": "com.mixpeek.role=build"})


def phases(built):
    return {phase.name: phase for phase in built.phases}


def files_of(cache, *folders):
    return sorted(path for name in folders for path in (cache.root / name).rglob("*") if Path(path).is_file())
