"""Builds on the real engine: what is in the image, what is found again, and what it costs."""

import os
import shutil
import time

import pytest

from images import compile_container, plugin_lock, preload, retired
from images.build import usual_tag
from images.engine_calls import load_archive
from images.files import Cache
from images.routes import RouteMemory
from toolchain.core.containers import ConnectOptions, connect, stop_private_engine
from toolchain.core.containers.model import ContainerEngine
from toolchain.core.errors import DependencyFault, EngineRefused, UsageFault

from .conftest import left_behind, phases, remove, run_inside

pytestmark = pytest.mark.engine

PATHS = """
import sys
sys.path[:0] = ["/opt/mixpeek/dependencies", "/opt/mixpeek/pytest"]
"""
PROBE = (
    PATHS
    + """
import pandas, pyarrow, pydantic, pytest, os
for module in (pandas, pyarrow, pydantic, pytest):
    assert os.path.exists(module.__cached__), module
    assert module.__spec__.loader.get_code(module.__name__).co_filename == module.__file__
assert pytest.__file__.startswith("/opt/mixpeek/pytest/")
assert not os.path.exists("/opt/mixpeek/dependencies/pytest")
print(pandas.DataFrame({"a": [1, 2]}).a.sum(), open("/opt/mixpeek/plugin/imagestest/manifest.py").read().strip())
"""
)


def test_an_image_runs_its_dependencies_from_bytecode_and_its_code(engine, base, warm, plugin):
    built = plugin.build(warm, with_tests=True)
    assert run_inside(engine, built.id, PROBE) == "3 x = 1"
    found = engine.client.api.inspect_image(built.id)
    assert found["Config"]["User"] == "65532:65532"
    assert found["Config"]["Labels"]["com.mixpeek.lock"] == built.lock.digest
    assert found["Config"]["Labels"]["com.mixpeek.base"] == base.id
    roles = [
        layer.role.partition(" ")[0] if ": bytecode" not in layer.role else layer.role for layer in built.layers
    ]
    assert roles == [
        *["base"] * len(base.config.layers),
        *["dependencies:"] * 3,
        "dependencies",
        "dependencies: bytecode",
        "pytest",
        "pytest: bytecode",
        "code",
    ]
    assert found["RootFS"]["Layers"] == [layer.diff_id for layer in built.layers]
    assert left_behind(engine) == []
    assert not list((warm.root / "tmp").iterdir())


def test_nothing_changed_costs_two_calls(base, warm, plugin):
    first = plugin.build(warm)
    again = plugin.build(warm)
    assert again.id == first.id
    assert again.route == "present"
    assert [phase.name for phase in again.phases] == ["resolve", "fetch", "dependencies", "code"]
    assert all(phase.cached for phase in again.phases)


def test_a_changed_line_costs_one_partial_load(engine, base, warm, plugin):
    plugin.build(warm)
    for number in range(3):
        plugin.write("manifest.py", f"x = {number + 2}\n")
        built = plugin.build(warm)
        assert built.route == "partial"
        assert [name for name, phase in phases(built).items() if not phase.cached] == ["code"]
    assert (
        run_inside(engine, built.id, "print(open('/opt/mixpeek/plugin/imagestest/manifest.py').read())") == "x = 4"
    )


def test_the_same_inputs_give_the_same_image_anywhere(base, warm, fresh, plugin, monkeypatch):
    plugin.write("processors/core.py", "y = 1\n")
    first = plugin.build(warm, with_tests=True)
    before = os.umask(0o077)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    try:
        for path in plugin.folder.rglob("*.py"):
            os.utime(path, (1, 1))
            path.chmod(0o600)
        request = plugin.request(with_tests=True)
        plugin.request = lambda **_: type(request)(**{**vars(request), "files": request.files[::-1]})
        second = plugin.build(fresh, with_tests=True)
    finally:
        os.umask(before)
        monkeypatch.undo()
        time.tzset()
    assert not phases(second)["dependencies"].cached
    assert second.id == first.id


def test_an_engine_without_archives_gets_the_same_layers_by_building(engine, base, warm, plugin):
    loaded = plugin.build(warm)
    remove(engine, loaded.tag)
    # Under this address nothing is remembered yet: the route of one engine says nothing about another.
    other = ContainerEngine(**{**vars(engine), "address": "elsewhere"})
    RouteMemory(warm, other).learn("build")
    built = plugin.build(warm, engine=other)
    try:
        assert built.route == "build"
        assert [layer.diff_id for layer in built.layers] == [layer.diff_id for layer in loaded.layers]
        assert run_inside(engine, built.id, "import os; print(os.getuid())") == "65532"
        assert plugin.build(warm, engine=other).route == "present"
        plugin.write("manifest.py", "x = 5\n")
        changed = plugin.build(warm, engine=other)
        assert changed.id != built.id
        assert changed.route == "build"
        assert [name for name, phase in phases(changed).items() if not phase.cached] == ["code"]
    finally:
        for image in engine.client.api.images(name="mixpeek/step"):
            remove(engine, image["RepoTags"][0])


def test_a_pruned_engine_is_filled_from_the_cache_without_network(engine, base, warm, plugin, monkeypatch):
    first = plugin.build(warm)
    remove(engine, first.tag)
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    again = plugin.build(warm)
    assert again.id == first.id
    assert phases(again)["dependencies"].cached


@pytest.mark.usefixtures("small")
def test_a_pruned_cache_does_not_matter_while_the_engine_has_the_layers(base, fresh, plugin):
    plugin.build(fresh)
    for folder in ("fragments", "bytecode"):
        for path in (fresh.root / folder).rglob("*.tar"):
            path.unlink()
    plugin.write("manifest.py", "x = 6\n")
    assert plugin.build(fresh).route == "partial"


@pytest.mark.usefixtures("small")
def test_a_damaged_piece_is_made_again(engine, base, fresh, plugin):
    first = plugin.build(fresh)
    remove(engine, first.tag)
    for image in engine.client.api.images(filters={"label": "com.mixpeek.role=plugin"}):
        assert first.layers[-2].diff_id not in engine.client.api.inspect_image(image["Id"])["RootFS"]["Layers"]
    victim = max((fresh.root / "fragments").rglob("*.tar"), key=lambda path: path.stat().st_size)
    with victim.open("r+b") as stream:
        stream.seek(5000)
        stream.write(b"rotten")
    again = plugin.build(fresh)
    assert again.id == first.id
    assert not phases(again)["dependencies"].cached


def test_another_dependency_costs_that_dependency(base, warm, plugin):
    first = plugin.build(warm)
    built = plugin.build(warm, "pluggy")
    assert phases(built)["fetch"].bytes < 1_000_000
    large = len(base.config.layers) + 3
    assert built.layers[:large] == first.layers[:large]
    assert not {layer.diff_id for layer in built.layers[large:]} & {
        layer.diff_id for layer in first.layers[large:-1]
    }


def test_large_wheels_go_ahead_and_leave_no_image_of_their_own(engine, base, fresh, plugin, monkeypatch):
    before, sent = sent_ahead(engine), []
    monkeypatch.setattr(
        preload, "load_archive", lambda engine, archive: sent.append(load_archive(engine, archive))
    )
    built = plugin.build(fresh, "isodate")
    assert len(sent) == 1
    assert built.route == "partial"
    assert run_inside(engine, built.id, f"{PATHS}import isodate, pandas; print('there')") == "there"
    assert sent_ahead(engine) == before
    notes = {path.name for path in (fresh.root / "retired").rglob("*") if path.is_file()}
    assert all(engine.client.api.inspect_image(f"sha256:{name}") for name in notes)


def sent_ahead(engine):
    """The images that only hold layers; other work on this machine may have some."""
    return {image["Id"] for image in engine.client.api.images(filters={"label": "com.mixpeek.role=preload"})}


def test_what_a_killed_build_sent_ahead_is_removed_by_a_later_one(engine, base, warm, plugin, monkeypatch):
    before = sent_ahead(engine)
    small = next(layer for layer in plugin.build(warm, "iniconfig").layers if layer.role == "dependencies")
    killed = preload.Preload(engine, warm, base, None)
    killed.offer(small)
    killed.complete((small,))
    assert small.diff_id in killed.held()
    assert len(sent_ahead(engine) - before) == 1
    plugin.build(warm)
    assert len(sent_ahead(engine) - before) == 1
    monkeypatch.setattr(retired, "_GRACE_SECONDS", 0.0)
    plugin.build(warm)
    assert sent_ahead(engine) == before


@pytest.mark.usefixtures("small")
def test_what_was_sent_ahead_from_a_cache_that_is_gone_goes_by_age(engine, base, fresh, plugin, monkeypatch):
    small = next(layer for layer in plugin.build(fresh, "iniconfig").layers if layer.role == "dependencies")
    killed = preload.Preload(engine, fresh, base, None)
    killed.offer(small)
    killed.complete((small,))
    assert killed.held()
    shutil.rmtree(fresh.root / "retired")
    monkeypatch.setattr(preload, "_FORGOTTEN_SECONDS", -1)
    plugin.build(fresh, "isodate")
    assert not sent_ahead(engine)


def test_an_engine_that_refuses_what_is_sent_ahead_gets_it_with_the_image(
    engine, base, fresh, plugin, monkeypatch
):
    def refuse(engine, archive):
        for _ in archive:
            pass
        raise EngineRefused("no room for that", remedy="none")

    monkeypatch.setattr(preload, "load_archive", refuse)
    monkeypatch.setattr(preload, "place", lambda engine, _order: refuse(engine, ()))
    built = plugin.build(fresh, "isodate")
    assert run_inside(engine, built.id, f"{PATHS}import isodate; print('there')") == "there"


def test_a_build_that_fails_leaves_nothing_that_it_sent_ahead(engine, base, fresh, plugin, monkeypatch):
    before = sent_ahead(engine)
    monkeypatch.setattr(compile_container, "PROGRAM", "raise SystemExit(7)")
    with pytest.raises(EngineRefused, match="exit 7"):
        plugin.build(fresh, "isodate")
    assert sent_ahead(engine) == before
    assert left_behind(engine) == []
    assert not list((fresh.root / "tmp").iterdir())


def test_what_cannot_be_resolved_leaves_nothing_behind(engine, base, warm, plugin):
    with pytest.raises(DependencyFault, match="pandas>=999"):
        plugin.build(warm, "pandas>=999")
    assert not list((warm.root / "tmp").iterdir())
    assert engine.client.api.images(name=usual_tag("imagestest")) == []


def test_a_bad_name_is_usage(warm, plugin):
    plugin.name = "../x"
    with pytest.raises(UsageFault):
        plugin.build(warm)


def test_a_plugins_own_lock_is_followed_until_its_requirements_change(base, warm, plugin):
    first = plugin.build(warm)
    text = plugin_lock.render(first.lock, plugin.request().requirements)
    older = text.replace(first.lock.wheels[0].version, "0.0.1")
    assert plugin.build(warm, lock=older, locked=True).lock.wheels[0].version == "0.0.1"
    assert plugin.build(warm, lock=text, locked=True).id == first.id
    with pytest.raises(plugin_lock.LockStale):
        plugin.build(warm, "pluggy", lock=text, locked=True)
    assert len(plugin.build(warm, "pluggy", lock=text).lock.wheels) == len(first.lock.wheels) + 1


@pytest.fixture
def another_engine(tmp_path_factory):
    """A second engine of this machine with a data root of its own, as another machine would have."""
    folder = tmp_path_factory.mktemp("e")
    plain = {key: value for key, value in os.environ.items() if not key.startswith("DOCKER_")}
    options = ConnectOptions(
        environment={**plain, "MIXPEEK_STATE_DIR": str(folder)},
        preferred="docker",
        docker_socket=folder / "nowhere.sock",
        podman_socket=folder / "nowhere.sock",
    )
    connected = connect(options)
    assert connected.started
    yield connected
    connected.close()
    stop_private_engine(options)


@pytest.mark.usefixtures("small")
def test_another_cache_and_another_engine_give_the_same_base_and_image(warm, base, another_engine, plugin):
    """As on another machine: only the distribution is the same, and everything else is made there anew."""
    expected = plugin.build(warm)
    elsewhere, engine = Cache(plugin.folder.parent / "elsewhere"), plugin.engine
    for path in (warm.root / "rootfs").glob("*"):
        elsewhere.write(elsewhere.root / "rootfs" / path.name, path.read_bytes())
    plugin.engine = another_engine
    built = plugin.build(elsewhere)
    assert another_engine.client.info()["DockerRootDir"] != engine.client.info()["DockerRootDir"]
    assert (built.base.id, built.base.made) == (base.id, True)
    assert built.id == expected.id
    assert not any(phase.cached for phase in built.phases)
