"""Which route is taken, in which order, and when it counts as taken."""

import pytest

from images import placing as subject
from images import retired as retirement
from images.image_config import ImageConfig, Layer
from images.placing import Order, matches, place
from images.retired import Retired
from images.routes import RouteMemory
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import EngineRefused

BASE = Layer("base", "sha256:" + "00" * 32, 1)
DEPENDENCIES = Layer("dependencies", "sha256:" + "11" * 32, 1, (b"d",))
CODE = Layer("code", "sha256:" + "22" * 32, 1, (b"c",))
IMAGE = ImageConfig("amd64", (BASE, DEPENDENCIES, CODE), {"User": "1"}, {"a": "1"})
HELD = frozenset({BASE.diff_id, DEPENDENCIES.diff_id})
FOUND = {
    "Id": IMAGE.id,
    "RootFS": {"Layers": [layer.diff_id for layer in IMAGE.layers]},
    "Config": {"Labels": {"a": "1"}, "User": "1", "Env": None},
}


class Engine:
    """Stands for the engine's calls: takes archives that hold what ``needs`` names, or none."""

    def __init__(self, monkeypatch, *, needs=(), builds=True, refusal="no"):
        self.needs, self.builds, self.refusal = set(needs), builds, refusal
        self.log = []
        self.present = None
        monkeypatch.setattr(subject, "docker_archive", lambda image, _, included: (image, set(included)))
        monkeypatch.setattr(subject, "oci_archive", lambda image, _, included: (image, set(included)))
        monkeypatch.setattr(subject, "load_archive", self.load)
        monkeypatch.setattr(subject, "inspect_image", lambda _, tag: self.present if tag == "x:1" else None)
        monkeypatch.setattr(subject, "build_image", self.build)

    def load(self, _, archive):
        self.log.append(("load", archive[1]))
        if not self.needs <= archive[1]:
            raise EngineRefused(self.refusal, remedy="")
        self.present = FOUND

    def build(self, _engine, _context, tag, **_parameters):
        self.log.append(("build", tag))
        if not self.builds:
            raise EngineRefused("no", remedy="")
        return {"Id": f"built {tag}"}


@pytest.fixture
def connection():
    return ContainerEngine(None, "docker", "", "unix:///x", "20.10", "1.41", "amd64", local=True)


def test_only_what_is_missing_is_sent(monkeypatch, connection):
    engine = Engine(monkeypatch, needs={CODE.diff_id})
    placed = place(connection, Order(IMAGE, "x:1", HELD, "base"))
    assert (placed.id, placed.route) == (IMAGE.id, "partial")
    assert engine.log == [("load", {CODE.diff_id})]


def test_a_wrong_belief_costs_one_attempt(monkeypatch, connection):
    engine = Engine(monkeypatch, needs={CODE.diff_id, DEPENDENCIES.diff_id})
    assert place(connection, Order(IMAGE, "x:1", HELD, "base")).route == "whole"
    assert len(engine.log) == 2


def test_an_engine_that_takes_no_archive_builds_step_by_step(monkeypatch, connection):
    engine = Engine(monkeypatch, needs={"never"})
    assert place(connection, Order(IMAGE, "x:1", HELD, "base")).route == "build"
    steps = [entry[1] for entry in engine.log if entry[0] == "build"]
    assert steps[0].startswith("mixpeek/step:")
    assert steps[1] == "x:1"


def test_no_route_left_is_the_engines_refusal(monkeypatch, connection):
    Engine(monkeypatch, needs={"never"}, builds=False)
    with pytest.raises(EngineRefused):
        place(connection, Order(IMAGE, "x:1", HELD, "base"))
    with pytest.raises(EngineRefused):
        place(connection, Order(IMAGE, "x:1", HELD, None))


def test_a_full_disk_ends_the_attempts(monkeypatch, connection):
    engine = Engine(monkeypatch, needs={"never"}, refusal="could not load: the engine's disk is full")
    with pytest.raises(EngineRefused, match="disk is full"):
        place(connection, Order(IMAGE, "x:1", HELD, "base"))
    assert len(engine.log) == 1


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"Id": "another store's name"}, True),
        ({"RootFS": {"Layers": [BASE.diff_id]}}, False),
        ({"Config": {"Labels": {"a": "2"}, "User": "1"}}, False),
        ({"Config": {"Labels": {"a": "1"}, "User": "0"}}, False),
        ({"Config": None}, False),
    ],
)
def test_an_image_is_known_by_its_content(change, same):
    assert matches({**FOUND, **change}, IMAGE) is same
    assert not matches(None, IMAGE)


def test_the_build_route_is_remembered_for_this_engine(cache, connection):
    memory = RouteMemory(cache, connection)
    assert memory.routes()[0] == "partial"
    memory.learn("partial")
    assert memory.routes()[0] == "partial"
    memory.learn("build")
    assert memory.routes()[0] == "build"


@pytest.fixture
def removed(monkeypatch):
    gone = []
    monkeypatch.setattr(retirement, "remove_image", lambda _, image: gone.append(image) or True)
    return gone


def test_an_image_just_handed_out_is_not_removed(cache, connection, removed, monkeypatch):
    retired = Retired(cache, connection)
    retired.hand_out("sha256:aa")
    retired.retire("sha256:aa")
    retired.settle()
    assert removed == []
    monkeypatch.setattr(retirement, "_GRACE_SECONDS", 0.0)
    retired.settle()
    retired.settle()
    assert removed == ["sha256:aa"]


def test_an_image_nobody_was_given_goes_at_once(cache, connection, removed):
    retired = Retired(cache, connection)
    retired.retire("sha256:aa")
    retired.settle()
    assert removed == ["sha256:aa"]


def test_an_image_wanted_again_stays(cache, connection, removed, monkeypatch):
    monkeypatch.setattr(retirement, "_GRACE_SECONDS", 0.0)
    retired = Retired(cache, connection)
    retired.retire("sha256:aa")
    retired.hand_out("sha256:aa")
    retired.settle()
    assert removed == []
