"""Downloads are verified, continued, shared, and never leave a wrong file under a right name."""

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from urllib3.exceptions import ProtocolError

from images import store as subject
from images.index_access import Answer
from images.store import WheelStore
from toolchain.core.errors import DownloadCorrupt, NetworkUnavailable

DATA = bytes(range(256)) * 4000


class Index:
    """An index in memory: serves ranges, counts requests, and misbehaves on demand."""

    def __init__(self):
        self.files = {}
        self.requests = []
        self.cut = None
        self.ranges = True
        self.status = 200
        self.lock = threading.Lock()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    @contextmanager
    def get(self, url, start=0):
        name = url.rpartition("/")[2]
        with self.lock:
            self.requests.append((name, start))
        data, status = self.files.get(name), self.status
        if data is None:
            status = 404
        elif self.ranges and start:
            data, status = data[start:], 206 if start < len(data) else 416
        yield Answer(status, self.body(data or b""))

    def body(self, data):
        """In pieces that may break off."""
        for start in range(0, len(data), 1000):
            if self.cut is not None and start >= self.cut:
                raise ProtocolError("connection reset")
            yield data[start : start + 1000]


@pytest.fixture
def index(monkeypatch):
    server = Index()
    monkeypatch.setattr(subject, "IndexClient", lambda: server)
    return server


@pytest.fixture
def wheel(index, tmp_path, locked):
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(DATA)
    index.files[path.name] = DATA
    return locked(path)


def leftovers(cache):
    return [path for path in cache.root.rglob("*") if path.is_file() and path.suffix != ".whl"]


def test_a_wheel_is_fetched_once_and_found_after(cache, index, wheel):
    store = WheelStore(cache)
    first, second = store.fetch([wheel]), store.fetch([wheel])
    assert first.paths[wheel.sha256].read_bytes() == DATA
    assert (first.downloaded, second.downloaded) == (len(DATA), 0)
    assert len(index.requests) == 1
    assert leftovers(cache) == []


def test_progress_is_told(cache, wheel):
    seen = []
    WheelStore(cache).fetch([wheel], seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == len(DATA)


def test_other_bytes_than_promised_are_refused_and_not_kept(cache, index, wheel):
    index.files[wheel.filename] = DATA[:-1] + b"!"
    with pytest.raises(DownloadCorrupt, match="other bytes"):
        WheelStore(cache).fetch([wheel])
    assert not WheelStore(cache).path(wheel.sha256).exists()
    index.files[wheel.filename] = DATA
    assert WheelStore(cache).fetch([wheel]).paths[wheel.sha256].read_bytes() == DATA


@pytest.mark.parametrize("data", [DATA + b"more", DATA[:-10], b""])
def test_another_length_is_refused(cache, index, wheel, data):
    index.files[wheel.filename] = data
    with pytest.raises(DownloadCorrupt):
        WheelStore(cache).fetch([wheel])


def test_an_endless_answer_is_cut_at_the_promised_size(cache, index, wheel):
    index.files[wheel.filename] = DATA * 5
    with pytest.raises(DownloadCorrupt):
        WheelStore(cache).fetch([wheel])
    assert all(path.stat().st_size <= len(DATA) for path in leftovers(cache))


def test_an_interrupted_download_is_continued(cache, index, wheel):
    index.cut = 500_000
    with pytest.raises(NetworkUnavailable, match="connection reset"):
        WheelStore(cache).fetch([wheel])
    index.cut = None
    fetched = WheelStore(cache).fetch([wheel])
    assert fetched.paths[wheel.sha256].read_bytes() == DATA
    start = index.requests[-1][1]
    assert 0 < start <= 500_000
    assert fetched.downloaded == len(DATA) - start


def test_a_server_without_ranges_starts_over(cache, index, wheel):
    index.cut = 500_000
    with pytest.raises(NetworkUnavailable):
        WheelStore(cache).fetch([wheel])
    index.cut, index.ranges = None, False
    assert WheelStore(cache).fetch([wheel]).paths[wheel.sha256].read_bytes() == DATA


@pytest.mark.parametrize("left", [b"garbage" * 100, DATA + b"too long", DATA])
def test_a_part_of_whatever_kind_is_no_obstacle(cache, wheel, left):
    path = WheelStore(cache).path(wheel.sha256)
    path.parent.mkdir(parents=True)
    path.with_suffix(".part").write_bytes(left)
    assert WheelStore(cache).fetch([wheel]).paths[wheel.sha256].read_bytes() == DATA
    assert leftovers(cache) == []


@pytest.mark.parametrize(
    ("status", "fault"), [(404, DownloadCorrupt), (403, NetworkUnavailable), (500, NetworkUnavailable)]
)
def test_an_answer_that_is_no_file(cache, index, wheel, status, fault):
    index.status = status
    with pytest.raises(fault):
        WheelStore(cache).fetch([wheel])


def test_many_at_once_by_several_builds_at_once(cache, index, wheel):
    wheels = []
    for number in range(12):
        data = DATA[: 50_000 + number]
        name = f"demo{number}-1.0-py3-none-any.whl"
        index.files[name] = data
        digest = hashlib.sha256(data).hexdigest()
        url = f"https://index.test/{name}"
        wheels.append(replace(wheel, name=name, filename=name, url=url, sha256=digest, size=len(data)))
    with ThreadPoolExecutor(4) as pool:
        results = [task.result() for task in [pool.submit(WheelStore(cache).fetch, wheels) for _ in range(4)]]
    for entry in wheels:
        assert hashlib.sha256(results[0].paths[entry.sha256].read_bytes()).hexdigest() == entry.sha256
    assert len(index.requests) == len(wheels)
    assert leftovers(cache) == []


def test_one_failure_names_itself_and_keeps_the_others(cache, index, wheel):
    bad = replace(wheel, sha256="00" * 32)
    with pytest.raises(DownloadCorrupt):
        WheelStore(cache).fetch([wheel, bad])
    assert not WheelStore(cache).path(bad.sha256).exists()


def test_a_failure_keeps_what_came_of_the_others(cache, index, wheel):
    counter = subject._Counter(None)
    path = WheelStore(cache).path(wheel.sha256)
    path.parent.mkdir(parents=True)

    def stop_half_way(total):
        if total >= len(DATA) // 2:
            counter.stop()

    counter._progress = stop_half_way
    with subject.IndexClient() as client, pytest.raises(subject._Stopped):
        WheelStore(cache)._obtain(client, wheel, counter)
    kept = path.with_suffix(".part").stat().st_size
    assert len(DATA) // 2 <= kept < len(DATA)
    assert WheelStore(cache).fetch([wheel]).downloaded == len(DATA) - kept


def test_a_server_that_knows_no_range_at_all_is_given_up(cache, index, wheel):
    index.status, index.ranges = 416, False
    path = WheelStore(cache).path(wheel.sha256)
    path.parent.mkdir(parents=True)
    path.with_suffix(".part").write_bytes(b"old")
    with pytest.raises(NetworkUnavailable, match="416"):
        WheelStore(cache).fetch([wheel])
