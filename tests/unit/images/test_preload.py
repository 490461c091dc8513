"""What goes ahead of an image: each layer once, noted so that a later build finds it, and only while wanted."""

import io
import json
import tarfile
import threading

import pytest

from images import preload as subject
from images.base.model import BaseImage
from images.image_config import ImageConfig, Layer, layer_of
from images.preload import Preload
from toolchain.core.errors import EngineDiskFull, EngineRefused
from toolchain.core.tarball import END, file_entry

BASE = Layer("base", "sha256:" + "11" * 32, 100)
ONE, TWO = (layer_of("dependencies", (file_entry(name, b"1"), END)) for name in "ab")


@pytest.fixture
def base(target):
    return BaseImage(
        "b:1", "sha256:22", "pulled", "x", "sha256:33", "r", target, ImageConfig("amd64", (BASE,), {}, {})
    )


class Engine:
    """Stands for the engine's calls: keeps what it is sent, or refuses as often as it is told."""

    def __init__(self, monkeypatch):
        self.archives, self.placed, self.removed, self.refusals = [], [], [], []
        monkeypatch.setattr(subject, "load_archive", self.load)
        monkeypatch.setattr(subject, "place", self.place)
        monkeypatch.setattr(subject, "remove_image", lambda _, tag: self.removed.append(tag) or True)
        monkeypatch.setattr(subject, "inspect_image", lambda *_: None)
        monkeypatch.setattr(subject, "list_images", lambda *_: [])

    def load(self, _, archive):
        data = b"".join(archive)
        if self.refusals:
            raise self.refusals.pop()
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            self.archives.append({member.name: tar.extractfile(member).read() for member in tar})

    def place(self, _, order):
        self.placed.append(order.held)
        if self.refusals:
            raise self.refusals.pop()


@pytest.fixture
def engine(monkeypatch):
    return Engine(monkeypatch)


@pytest.fixture
def start(connection, cache, base):
    return lambda previous=None: Preload(connection, cache, base, previous)


def notes(cache):
    return [path for path in (cache.root / "retired").rglob("*") if path.is_file()]


def ids(*layers):
    return frozenset(layer.diff_id for layer in layers)


def test_what_is_offered_is_sent_once_and_leaves_no_note(engine, start, cache):
    with start() as preload:
        for layer in (TWO, ONE, TWO):
            preload.offer(layer)
        preload.complete((ONE, TWO))
        assert preload.held() == ids(BASE, ONE, TWO)
        assert len(notes(cache)) == 1
    (archive,) = engine.archives
    (manifest,) = json.loads(archive["manifest.json"])
    assert manifest["Layers"] == [f"{layer.diff_id[7:]}.tar" for layer in (BASE, ONE, TWO)]
    assert manifest["RepoTags"] == engine.removed
    assert notes(cache) == []


def test_what_the_image_before_stands_on_is_not_sent(engine, start, cache):
    previous = {"RootFS": {"Layers": [BASE.diff_id, ONE.diff_id, TWO.diff_id, "sha256:code"]}}
    with start(previous) as preload:
        preload.offer(ONE)
        preload.complete((ONE, TWO))
        assert preload.held() == ids(BASE, ONE, TWO)
    assert (engine.archives, engine.placed, engine.removed, notes(cache)) == ([], [], [], [])


def test_what_the_cache_had_is_believed_to_be_there_and_sent_when_it_is_not(engine, start):
    engine.refusals = [EngineRefused("no such layer", remedy="none")]
    with start() as preload:
        preload.complete((ONE,))
        assert preload.held() == ids(BASE, ONE)
    assert engine.placed == [ids(BASE, ONE), ids(BASE)]


@pytest.mark.parametrize("refusal", [EngineDiskFull, EngineRefused])
def test_a_refusal_is_left_to_the_image_to_tell(engine, start, cache, refusal):
    engine.refusals = [refusal("no", remedy="none") for _ in range(3)]
    with start() as preload:
        preload.offer(ONE)
        preload.complete((ONE,))
        assert preload.held() == ids(BASE)
    # A full disk is no better at the next attempt.
    assert len(engine.refusals) == (2 if refusal is EngineDiskFull else 0)
    assert notes(cache) == []


def test_an_interrupted_build_sends_no_more(start, monkeypatch, engine):
    begun, go_on, seen = threading.Event(), threading.Event(), []

    def load(_, archive):
        for chunk in archive:
            seen.append(chunk)
            begun.set()
            go_on.wait(10)

    monkeypatch.setattr(subject, "load_archive", load)
    preload = start()
    preload.offer(ONE)
    preload.offer(TWO)
    preload.complete((ONE, TWO))
    assert begun.wait(10)
    threading.Timer(0.2, go_on.set).start()
    preload.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert len(seen) == 1
    assert engine.placed == []
