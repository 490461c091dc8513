"""Which route is taken, in which order, and when it counts as taken."""

import pytest

from images import placing as subject
from images import retired as retirement
from images import stepwise
from images.image_config import ImageConfig, Layer, layer_of
from images.placing import Order, matches, place
from images.retired import Retired
from images.routes import RouteMemory
from images.stepwise import Below
from toolchain.core.errors import EngineDiskFull, EngineRefused
from toolchain.core.tarball import FileChanged

BASE = Layer("base", "sha256:" + "00" * 32, 1)
DEPENDENCIES = layer_of("dependencies", (b"d",))
CODE = layer_of("code", (b"c",))
BELOW = Below("base", 1, {"User": "1"})
IMAGE = ImageConfig("amd64", (BASE, DEPENDENCIES, CODE), {"User": "1"}, {"a": "1"})
HELD = frozenset({BASE.diff_id, DEPENDENCIES.diff_id})
FOUND = {
    "Id": IMAGE.id,
    "RootFS": {"Layers": [layer.diff_id for layer in IMAGE.layers]},
    "Config": {"Labels": {"a": "1"}, "User": "1", "Env": None},
}


class Engine:
    """Stands for the engine's calls: takes archives that hold what ``needs`` names, or none."""

    def __init__(self, monkeypatch, *, needs=(), builds=True, refusal=EngineRefused):
        self.needs, self.builds, self.refusal = set(needs), builds, refusal
        self.log = []
        self.present = None
        monkeypatch.setattr(subject, "image_archive", lambda _, image, __, included: (image, set(included)))
        monkeypatch.setattr(subject, "load_archive", self.load)
        monkeypatch.setattr(subject, "inspect_image", lambda _, tag: self.present if tag == "x:1" else None)
        monkeypatch.setattr(stepwise, "build_image", self.build)
        monkeypatch.setattr(stepwise, "inspect_image", lambda *_: None)

    def load(self, _, archive):
        self.log.append(("load", archive[1]))
        if not self.needs <= archive[1]:
            raise self.refusal("no", remedy="")
        self.present = FOUND

    def build(self, _engine, context, tag, **_parameters):
        self.log.append(("build", tag))
        self.dockerfile = next(iter(context)).rstrip(b"\0").decode().rpartition("\0")[2]
        if not self.builds:
            raise EngineRefused("no", remedy="")
        return {"Id": f"built {tag}"}


def test_only_what_is_missing_is_sent(monkeypatch, connection):
    engine = Engine(monkeypatch, needs={CODE.diff_id})
    placed = place(connection, Order(IMAGE, "x:1", HELD, BELOW))
    assert (placed.id, placed.route) == (IMAGE.id, "partial")
    assert engine.log == [("load", {CODE.diff_id})]


def test_a_wrong_belief_costs_one_attempt(monkeypatch, connection):
    engine = Engine(monkeypatch, needs={CODE.diff_id, DEPENDENCIES.diff_id})
    assert place(connection, Order(IMAGE, "x:1", HELD, BELOW)).route == "whole"
    assert len(engine.log) == 2


def test_an_engine_that_takes_no_archive_builds_step_by_step(monkeypatch, connection):
    engine = Engine(monkeypatch, needs={"never"})
    assert place(connection, Order(IMAGE, "x:1", HELD, BELOW)).route == "build"
    steps = [entry[1] for entry in engine.log if entry[0] == "build"]
    assert steps[0].startswith("mixpeek/step:")
    assert steps[1] == "x:1"
    assert "ADD layer.tar /" in engine.dockerfile
    assert f'com.mixpeek.image="{IMAGE.id}"' in engine.dockerfile
    assert "USER" not in engine.dockerfile


def test_a_run_configuration_that_differs_is_written(monkeypatch, connection):
    engine = Engine(monkeypatch, needs={"never"})
    place(connection, Order(IMAGE, "x:1", HELD, Below("source", 1, {})))
    assert "USER 1" in engine.dockerfile
    assert "ENTRYPOINT []" in engine.dockerfile


def test_nothing_is_built_that_would_lack_a_layer(monkeypatch, connection):
    engine = Engine(monkeypatch, needs={"never"})
    pruned = ImageConfig("amd64", (BASE, Layer("dependencies", "sha256:" + "11" * 32, 1), CODE), {}, {})
    with pytest.raises(EngineRefused):
        place(connection, Order(pruned, "x:1", HELD, BELOW))
    assert not [entry for entry in engine.log if entry[0] == "build"]


def test_damaged_bytes_are_not_built_in(monkeypatch, connection):
    Engine(monkeypatch, needs={"never"})
    damaged = Layer("dependencies", DEPENDENCIES.diff_id, 1, (b"x",))
    with pytest.raises(FileChanged):
        place(connection, Order(ImageConfig("amd64", (BASE, damaged, CODE), {}, {}), "x:1", HELD, BELOW))


def test_no_route_left_is_the_engines_refusal(monkeypatch, connection):
    Engine(monkeypatch, needs={"never"}, builds=False)
    with pytest.raises(EngineRefused):
        place(connection, Order(IMAGE, "x:1", HELD, BELOW))
    with pytest.raises(EngineRefused):
        place(connection, Order(IMAGE, "x:1", HELD, None))


def test_a_full_disk_ends_the_attempts(monkeypatch, connection):
    engine = Engine(monkeypatch, needs={"never"}, refusal=EngineDiskFull)
    with pytest.raises(EngineDiskFull):
        place(connection, Order(IMAGE, "x:1", HELD, BELOW))
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
        ({"RootFS": {"Layers": ["rebuilt"]}, "Config": {"Labels": {"com.mixpeek.image": IMAGE.id}}}, True),
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


def test_notes_that_another_command_settles_are_no_obstacle(cache, connection, monkeypatch):
    retired = Retired(cache, connection)
    retired.retire("sha256:aa")
    retired.retire("sha256:bb")
    asked = []

    def settled_elsewhere(_, image):
        asked.append(image)
        for note in (cache.root / "retired").rglob(image.removeprefix("sha256:")):
            note.unlink()
        return False

    monkeypatch.setattr(retirement, "remove_image", settled_elsewhere)
    retired.settle()
    assert sorted(asked) == ["sha256:aa", "sha256:bb"]
