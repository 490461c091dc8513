"""One engine, one base and one filled cache for all; caches of their own start from its wheels."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path

import docker.errors
import pytest

import images.build
from images.base import ensure_base
from images.base import recipe as recipes
from images.base.catalogue import CATALOGUE
from images.base.recipe import read_recipe
from images.build import BuildRequest, build
from images.code import SourceFile
from images.compile_container import Compiler
from images.files import Cache
from images.layout import PYTEST_REQUIREMENTS
from images.lock import resolve
from images.requirements import requirement_set
from images.store import WheelStore
from toolchain.core.containers import connect, options_from_environment
from toolchain.core.reporter import SilentReporter


@pytest.fixture(scope="session")
def engine():
    """The engine of this machine, started if need be."""
    connected = connect(options_from_environment())
    yield connected
    connected.close()


@pytest.fixture(scope="session", autouse=True)
def recipe(tmp_path_factory):
    """The recipe as it is now: an edit in the tree while the suite runs must not change the base under a test."""
    home = tmp_path_factory.mktemp("recipe")
    for variant in CATALOGUE.values():
        for name, data in read_recipe(variant).files.items():
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "_HOME", home)
        yield read_recipe()


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    """The cache that the whole suite fills."""
    return Cache(tmp_path_factory.mktemp("images-cache"))


@pytest.fixture(scope="session")
def base(engine, warm, recipe):
    return ensure_base(engine, SilentReporter(), warm)


@pytest.fixture(scope="session")
def wheels(base, warm):
    """The locks of every build and their wheels, in the suite's cache."""
    locks = [
        resolve(requirement_set([], source="suite"), base.target, warm).lock,
        resolve(requirement_set([], source="suite"), base.target, warm, platform=PYTEST_REQUIREMENTS).lock,
    ]
    for lock in locks:
        WheelStore(warm).fetch(lock.wheels)
    return locks


@pytest.fixture
def fresh(warm, wheels, tmp_path):
    """A cache that has the suite's wheels and locks, and has built nothing."""
    for name in ("wheels", "locks-resolved"):
        if (warm.root / name).is_dir():
            shutil.copytree(warm.root / name, tmp_path / "cache" / name, copy_function=os.link)
    return Cache(tmp_path / "cache")


@pytest.fixture
def small(monkeypatch):
    """Builds without the platform's own 300 MB: for tests whose point is not their weight."""
    monkeypatch.setattr(images.build, "resolve", partial(resolve, platform=("iniconfig", "pluggy")))


@pytest.fixture
def plugin(engine, tmp_path):
    """A plugin of one file; its images go when the test ends."""
    folder = tmp_path / "plugin"
    folder.mkdir()
    made = Plugin(engine, folder)
    yield made
    for connected, image in made.built:
        remove(connected, image)


class Plugin:
    """A plugin to build again and again; ``built`` collects what is to be removed."""

    def __init__(self, engine, folder, name="imagestest"):
        self.engine, self.folder, self.name = engine, folder, name
        self.built = set()
        self.write("manifest.py", "x = 1\n")

    def write(self, name, text):
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text)

    def request(self, *requirements, **settings):
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        sources = tuple(SourceFile(path.relative_to(self.folder).as_posix(), path) for path in files)
        return BuildRequest(self.name, sources, requirement_set(requirements, source="manifest.py"), **settings)

    def build(self, cache, *requirements, engine=None, **settings):
        connected = engine or self.engine
        built = build(self.request(*requirements, **settings), connected, SilentReporter(), cache)
        self.built.add((connected, built.id))
        return built


def remove(engine, reference):
    """Remove an image with all that is above it being gone or not."""
    with suppress(docker.errors.APIError):
        engine.client.api.remove_image(reference, force=True)


def run_inside(engine, image, program, **settings):
    """What ``program`` prints in a container of ``image`` without network."""
    output = engine.client.containers.run(
        image,
        ["-c", program],
        entrypoint=["/opt/mixpeek/python"],
        network_mode="none",
        remove=True,
        ulimits=[{"Name": name, "Soft": 1024, "Hard": 1024} for name in ("nofile", "nproc")],
        **settings,
    )
    return output.decode().strip()


def compiled(engine, base, chunks, cache):
    """The bytecode of chunks that hold one source each."""
    with Compiler(engine, base, cache) as compiler:
        results = compiler.compile(chunks)
        return [next(results) for _ in chunks]


def build_containers(engine):
    """Containers that a build made and did not remove."""
    return engine.client.api.containers(all=True, filters={"label": "com.mixpeek.role=build"})


_BEFORE = set()


@pytest.fixture(autouse=True)
def _before(engine):
    """Other work on this machine may be building too: only what a test adds counts against it."""
    _BEFORE.clear()
    _BEFORE.update(found["Id"] for found in build_containers(engine))


def left_behind(engine):
    """Containers of builds that were not there when the test began."""
    return [found["Id"] for found in build_containers(engine) if found["Id"] not in _BEFORE]


def phases(built):
    return {phase.name: phase for phase in built.phases}


def files_of(cache, *folders):
    return sorted(path for name in folders for path in (cache.root / name).rglob("*") if Path(path).is_file())


@pytest.fixture(scope="session")
def registry(tmp_path_factory):
    """A real registry on a port of its own."""
    program = shutil.which("docker-registry")
    assert program, "apt-get install --no-install-recommends docker-registry"
    folder = tmp_path_factory.mktemp("registry")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "config.yml").write_text(
        f"version: 0.1\nhttp:\n  addr: 127.0.0.1:{port}\n"
        f"storage:\n  filesystem:\n    rootdirectory: {folder}/data\n"
    )
    process = subprocess.Popen(
        [program, "serve", str(folder / "config.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/v2/")
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait_for(url):
    for _ in range(100):
        with suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(url, timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("the registry did not start")
