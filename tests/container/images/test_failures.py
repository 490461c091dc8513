"""Whatever breaks in the middle: a clear error or a correct result, and nothing left behind."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import suppress
from pathlib import Path

import docker
import pytest

from images.base import recipe as recipes
from images.faults import StoreUnavailable
from images.files import Cache
from images.fragments import opening
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import DownloadCorrupt, EngineUnavailable, NetworkUnavailable
from toolchain.core.image_layout import DEPENDENCIES
from toolchain.core.tarball import END

from .conftest import files_of, left_behind, remove

pytestmark = pytest.mark.engine

ROOT = Path(__file__).resolve().parents[3]

WORKER = """
import sys
from pathlib import Path
from images.base import recipe
from images.build import BuildRequest, build
from images.code import SourceFile
from images.base import recipe as recipes
from images.faults import StoreUnavailable
from images.files import Cache
from images.requirements import requirement_set
from toolchain.core.containers import connect, options_from_environment
from toolchain.core.reporter import SilentReporter

cache, home, file = map(Path, sys.argv[1:4])
recipe._HOME = home
request = BuildRequest("imagestest", (SourceFile("manifest.py", file),), requirement_set([], source="manifest.py"))
print(build(request, connect(options_from_environment()), SilentReporter(), Cache(cache)).id)
"""


@pytest.fixture
def worker(recipe, plugin):
    """Starts builds of the plugin in processes of their own, over a given cache."""

    def start(cache):
        argv = [sys.executable, "-c", textwrap.dedent(WORKER), str(cache.root), str(recipes._HOME)]
        argv.append(str(plugin.folder / "manifest.py"))
        return subprocess.Popen(
            argv, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    return start


def check_store(cache):
    """Every file that has a digest for a name has that digest."""
    for path in files_of(cache, "wheels"):
        if path.suffix == ".whl":
            assert hashlib.sha256(path.read_bytes()).hexdigest() == path.stem
    for path in files_of(cache, "fragments"):
        if path.suffix == ".json":
            piece = opening(DEPENDENCIES) + path.with_suffix(".tar").read_bytes() + END
            assert json.loads(path.read_bytes())["diff_id"] == f"sha256:{hashlib.sha256(piece).hexdigest()}"


def test_builds_killed_at_any_moment_leave_a_cache_that_works(engine, base, fresh, plugin, worker):
    shutil.rmtree(fresh.root / "wheels")
    chance = random.Random(20)
    # From the first import to the load: what one build finished, the next one finds, so later kills hit later.
    for latest in (1.0, 1.5, 2.0, 3.0, 4.0, 5.0):
        process = worker(fresh)
        time.sleep(0.3 + chance.random() * latest)
        process.kill()
        process.communicate()
        check_store(fresh)
    for path in files_of(fresh, "tmp"):
        os.utime(path, (1, 1))  # a start within a minute would spare them
    process = worker(fresh)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    expected = plugin.build(fresh)
    assert output.strip() == expected.id
    check_store(fresh)
    assert files_of(fresh, "tmp") == []
    assert not list((fresh.root / "wheels").rglob("*.part"))
    assert left_behind(engine) == []


def test_an_interrupted_build_cleans_up_itself(engine, base, fresh, worker):
    shutil.rmtree(fresh.root / "wheels")
    for moment in (0.6, 1.2, 2.0):
        process = worker(fresh)
        time.sleep(moment)
        process.send_signal(signal.SIGINT)
        assert "KeyboardInterrupt" in process.communicate(timeout=30)[1] or process.returncode == 0
        assert files_of(fresh, "tmp") == []
        assert left_behind(engine) == []


def test_two_builds_of_one_plugin_at_once_agree(engine, base, fresh, plugin, worker):
    processes = [worker(fresh), worker(fresh)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], outputs
    ids = {output.strip() for output, _ in outputs}
    assert ids == {plugin.build(fresh).id}
    assert files_of(fresh, "tmp") == []
    assert left_behind(engine) == []


class Relay:
    """A TCP door to the engine's socket that shuts for good ``after`` so many bytes of one kind of call."""

    def __init__(self, target, call, after):
        self._target, self._call, self._after = target, call, after
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._ends, self._threads = [], []

    def __enter__(self):
        self._start(self._serve)
        return self

    def __exit__(self, *exc):
        self._shut()
        for thread in self._threads:
            thread.join(5)
        for end in self._ends:
            end.close()

    def _start(self, target, *args):
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _shut(self):
        for end in [self._server, *self._ends]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _serve(self):
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                upstream = socket.socket(socket.AF_UNIX)
                upstream.connect(self._target)
                self._ends += [client, upstream]
                self._start(self._forward, client, upstream, self._call)
                self._start(self._forward, upstream, client, None)

    def _forward(self, source, target, watched):
        seen, armed = 0, False
        with suppress(OSError):
            while data := source.recv(1 << 16):
                armed = armed or (watched is not None and watched in data)
                seen += len(data) if armed else 0
                if armed and seen > self._after:
                    self._shut()
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)


DEATHS = {"load": (b"/images/load", 5_000), "upload": (b"/archive", 500), "create": (b"/containers/create", 0)}


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("death", [*DEATHS, "inspect"])
def test_an_engine_that_dies_is_said_so(engine, base, fresh, plugin, death):
    assert engine.address.startswith("unix://"), "the engine of this suite is expected on a socket"
    call, after = DEATHS.get(death, (b"/json", 0))
    with Relay(engine.address.removeprefix("unix://"), call, after) as relay:
        client = docker.DockerClient(f"tcp://127.0.0.1:{relay.port}", version=engine.api_version, timeout=20)
        with pytest.raises(EngineUnavailable) as caught:
            plugin.build(fresh, engine=ContainerEngine(**{**vars(engine), "client": client}))
        client.close()
    assert "mixpeek doctor" in caught.value.remedy
    assert files_of(fresh, "tmp") == []
    assert plugin.build(fresh).route in ("partial", "whole")
    # This engine lives on, and may have been making a container while its caller was cut off.
    assert plugin.build(fresh).route == "present"
    assert left_behind(engine) == []


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root; the unit tests cover the error")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_so_and_nothing_half_is_kept(base, small_disk, plugin):
    cache = Cache(small_disk / "cache")
    with pytest.raises(StoreUnavailable, match="no space left"):
        plugin.build(cache)
    check_store(cache)
    assert files_of(cache, "tmp", "layers") == []


def test_an_index_out_of_reach_is_said_so(base, tmp_path, plugin, monkeypatch):
    monkeypatch.setenv("MIXPEEK_INDEX_URL", "http://user:hunter2@127.0.0.1:9/simple")
    started = time.monotonic()
    with pytest.raises(NetworkUnavailable) as caught:
        plugin.build(Cache(tmp_path / "cache"))
    assert "hunter2" not in str(caught.value)
    assert "MIXPEEK_INDEX_URL" in caught.value.remedy
    assert time.monotonic() - started < 60


def test_bytes_that_the_lock_does_not_promise_never_get_into_an_image(engine, base, warm, fresh, plugin):
    first = plugin.build(warm)
    for path in files_of(fresh, "locks-resolved"):
        text = path.read_text().replace(first.lock.wheels[0].sha256, "00" * 32)
        path.unlink()
        path.write_text(text)
    remove(engine, first.tag)
    with pytest.raises(DownloadCorrupt, match="other bytes"):
        plugin.build(fresh)
    assert files_of(fresh, "tmp") == []
