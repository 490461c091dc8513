"""An index of one's own behind TLS of its own and a password: it works, and the password goes nowhere."""

from __future__ import annotations

import random
import threading
import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

import images.build
from images import plugin_lock
from images.files import Cache
from images.lock import resolve
from tests.support.package_index import PackageIndex
from tests.support.wheels import wheel_bytes
from toolchain.core.errors import DownloadCorrupt, NetworkUnavailable

from .conftest import files_of, left_behind, run_inside

pytestmark = pytest.mark.engine

PASSWORD = "hunter2-correct-horse"
DEMO = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def index(tmp_path, monkeypatch):
    """An index that wants a password; the only one, so no package of the platform comes from elsewhere."""
    monkeypatch.setattr(images.build, "resolve", partial(resolve, platform=()))
    monkeypatch.setattr(plugin_lock, "PLATFORM_REQUIREMENTS", ())
    with PackageIndex(tmp_path, login=("ci", PASSWORD)) as served:
        served.add(DEMO, wheel_bytes("demo", {"demo/data.bin": random.Random(7).randbytes(1 << 20)}))
        monkeypatch.setenv("MIXPEEK_INDEX_URL", served.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(served.bundle))
        yield served


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache")


class Watch:
    """Collects the argument lists of every process while it is open."""

    def __enter__(self):
        self.seen, self._open = set(), True
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *exc):
        self._open = False
        self._thread.join()

    def _look(self):
        while self._open:
            for folder in Path("/proc").glob("[0-9]*"):
                with suppress(OSError):
                    self.seen.add((folder / "cmdline").read_bytes())
            time.sleep(0.005)


def test_it_works_and_the_password_is_nowhere(engine, base, index, cache, plugin):
    with Watch() as processes:
        built = plugin.build(cache, "demo")
    assert [wheel.name for wheel in built.lock.wheels] == ["demo"]
    program = "import sys; sys.path.insert(0, '/opt/mixpeek/dependencies'); import demo; print(demo.name)"
    assert run_inside(engine, built.id, program) == "demo"
    assert any(path == f"/files/{DEMO}" for path, _ in index.asked)
    secret = PASSWORD.encode()
    assert any(b"pip\0compile" in line for line in processes.seen), "the resolver was not seen at all"
    assert not any(secret in line for line in processes.seen)
    holding = [path for path in cache.root.rglob("*") if path.is_file() and secret in path.read_bytes()]
    assert holding == []
    assert secret not in b"".join(engine.client.api.get_image(built.id))
    lock = plugin_lock.render(built.lock, plugin.request("demo").requirements)
    assert PASSWORD not in lock + repr(built)
    # The lock that goes with the plugin leads to the same index, and to no other.
    assert plugin.build(cache, "demo", lock=lock, locked=True).id == built.id


def test_a_wrong_password_is_said_so_without_it(base, index, cache, plugin, monkeypatch):
    monkeypatch.setenv("MIXPEEK_INDEX_URL", index.url.replace(PASSWORD, "wrong-" + PASSWORD))
    with pytest.raises(NetworkUnavailable) as caught:
        plugin.build(cache, "demo")
    assert PASSWORD not in str(caught.value)
    assert "MIXPEEK_INDEX_URL" in caught.value.remedy
    assert files_of(cache, "tmp", "wheels") == []


def test_an_authority_that_nobody_trusts_is_said_so(base, index, cache, plugin, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(NetworkUnavailable) as caught:
        plugin.build(cache, "demo")
    assert "ertificate" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_download_that_broke_off_is_continued_where_it_stopped(engine, base, index, cache, plugin):
    index.broken[DEMO] = 600_000
    with pytest.raises(NetworkUnavailable, match="could not be downloaded") as caught:
        plugin.build(cache, "demo")
    assert "continues where it stopped" in caught.value.remedy
    (part,) = files_of(cache, "wheels")
    assert part.suffix == ".part"
    kept = part.stat().st_size
    assert 300_000 < kept <= 600_000
    index.broken.clear()
    built = plugin.build(cache, "demo")
    assert index.asked[-1] == (f"/files/{DEMO}", f"bytes={kept}-")
    assert [path.stem for path in files_of(cache, "wheels")] == [built.lock.wheels[0].sha256]
    assert left_behind(engine) == []


def test_bytes_that_were_altered_on_their_way_are_refused_and_not_kept(base, index, cache, plugin):
    index.spoiled.add(DEMO)
    with pytest.raises(DownloadCorrupt, match="other bytes than the lock promises"):
        plugin.build(cache, "demo")
    assert not [path for path in files_of(cache, "wheels") if path.suffix == ".whl" or path.stat().st_size]
    index.spoiled.clear()
    assert plugin.build(cache, "demo").lock.wheels[0].filename == DEMO


def test_a_file_that_is_gone_asks_for_a_new_lock(base, index, cache, plugin):
    built = plugin.build(cache, "demo")
    lock = plugin_lock.render(built.lock, plugin.request("demo").requirements)
    del index.files[DEMO]
    with pytest.raises(DownloadCorrupt, match="no longer has") as caught:
        plugin.build(Cache(cache.root.with_name("other")), "demo", lock=lock, locked=True)
    assert "--upgrade" in caught.value.remedy
