"""Images for an architecture that this engine cannot run: made from outside, inspected, not run."""

import io
import json
import tarfile
import urllib.request
from dataclasses import replace
from functools import partial

import pytest

import images.build
from images.base import BaseChoice, ensure_base
from images.base.foreign import make_foreign_base
from images.base.model import Wanted
from images.base.source import obtain_source
from images.files import Cache
from images.image_config import layer_of
from images.lock import resolve
from images.target import MACHINES
from toolchain.core.errors import EngineRefused
from toolchain.core.reporter import SilentReporter
from toolchain.core.tarball import END, directory_header, file_part

from .conftest import left_behind, remove

pytestmark = pytest.mark.engine

ELF_MACHINES = {"x86_64": 62, "aarch64": 183}
# markupsafe brings a small native library, iniconfig none.
SMALL = ("iniconfig", "markupsafe")


@pytest.fixture(scope="module")
def other(engine):
    return next(name for name in MACHINES if name != engine.architecture)


@pytest.fixture(scope="module")
def foreign(engine, base, warm, other):
    return ensure_base(engine, SilentReporter(), warm, BaseChoice(architecture=other))


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(images.build, "resolve", partial(resolve, platform=SMALL))


def entries(data, *, below=""):
    """Everything in a tar by name: kind, mode, owner, target and contents."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {
            member.name: (
                member.type,
                member.mode,
                (member.uid, member.gid),
                member.linkname,
                archive.extractfile(member).read() if member.isreg() else b"",
            )
            for member in archive
            if member.name.startswith(below)
        }


def layer_of_image(engine, image, position):
    """The tar of one layer as the engine saves it."""
    saved = io.BytesIO(b"".join(engine.client.api.get_image(image)))
    with tarfile.open(fileobj=saved) as archive:
        names = json.load(archive.extractfile("manifest.json"))[0]["Layers"]
        return archive.extractfile(names[position]).read()


def dependencies_of(engine, image, **chosen):
    """The entries of the layers with the small wheels and with the bytecode."""
    return {
        **entries(layer_of_image(engine, image, -3), **chosen),
        **entries(layer_of_image(engine, image, -2), **chosen),
    }


def elf_machine(content):
    assert content[:4] == b"\x7fELF"
    return int.from_bytes(content[18:20], "little")


def test_the_base_is_the_other_architectures_and_holds_what_ours_holds(engine, base, foreign, other):
    found = engine.client.api.inspect_image(foreign.id)
    assert found["Architecture"] == foreign.target.architecture == other
    assert found["Config"]["User"] == "65532:65532"
    assert foreign.target.minor == base.target.minor
    assert foreign.target.glibc.startswith("2.")
    assert foreign.runnable is not foreign
    assert foreign.runnable.id == base.id
    ours = entries(layer_of_image(engine, foreign.id, -1))
    facts = json.loads(ours["opt/mixpeek/base.json"][-1])
    assert facts["machine"] == MACHINES[other]
    python = ours["opt/mixpeek/python"]
    assert python[0] == tarfile.SYMTYPE
    program = entries(layer_of_image(engine, foreign.id, 0), below=facts["executable"].lstrip("/"))
    assert elf_machine(program[facts["executable"].lstrip("/")][-1]) == ELF_MACHINES[MACHINES[other]]
    assert any(name.startswith("opt/mixpeek/runtime/engine/__pycache__/") for name in ours)
    assert any(name.endswith("/asyncio/__pycache__/events.cpython-311.pyc") for name in ours)
    assert left_behind(engine) == []


def test_preparing_from_outside_gives_what_the_dockerfile_gives(engine, base, warm, recipe, tmp_path):
    """Tried on our own architecture, where both ways exist."""
    source = obtain_source(engine, SilentReporter(), warm, Wanted(None, engine.architecture))
    made = make_foreign_base(engine, Cache(tmp_path), recipe, source, base)
    from_outside = entries(made.layers[-1].parts[0].path.read_bytes())
    by_dockerfile = entries(layer_of_image(engine, base.id, -1))
    # Only an interpreter of that architecture can make the loader's cache; folders that it touched come with it.
    without = {"etc/ld.so.cache"}
    files = {name for name, entry in by_dockerfile.items() if entry[0] != tarfile.DIRTYPE}
    assert {name for name, entry in from_outside.items() if entry[0] != tarfile.DIRTYPE} == files - without
    differing = [name for name in files - without if from_outside[name] != by_dockerfile[name]]
    assert [name for name in differing if not name.endswith(".pyc")] == []
    assert made.run == base.config.run


@pytest.mark.usefixtures("small")
def test_a_plugins_image_has_that_architectures_libraries_and_our_bytecode(engine, foreign, warm, plugin):
    other = foreign.target.architecture
    built = plugin.build(warm, architecture=other)
    found = engine.client.api.inspect_image(built.id)
    assert (found["Architecture"], built.tag) == (other, f"mixpeek/imagestest:cpu-{other}")
    assert found["RootFS"]["Layers"] == [layer.diff_id for layer in built.layers]
    assert found["Config"]["Labels"]["com.mixpeek.base"] == foreign.id
    assert all("x86_64" not in wheel.filename for wheel in built.lock.wheels)
    dependencies = dependencies_of(engine, built.id)
    libraries = {name: entry[-1] for name, entry in dependencies.items() if name.endswith(".so")}
    assert libraries
    assert {elf_machine(content) for content in libraries.values()} == {ELF_MACHINES[MACHINES[other]]}
    ours = plugin.build(warm)
    assert engine.client.api.inspect_image(ours.id)["Architecture"] == engine.architecture
    assert ours.tag != built.tag
    native = dependencies_of(engine, ours.id, below="opt/mixpeek/dependencies/iniconfig/")
    assert any(name.endswith(".pyc") for name in native)
    assert native == {name: dependencies[name] for name in native}
    assert plugin.build(warm, architecture=other).route == "present"
    with pytest.raises(Exception, match=r"exec format error|exec user process"):
        engine.client.containers.run(built.id, network_mode="none", remove=True)


def test_made_again_elsewhere_it_is_the_same(engine, foreign, warm, other, tmp_path):
    elsewhere = Cache(tmp_path)
    for path in (warm.root / "rootfs").iterdir():
        elsewhere.write(tmp_path / "rootfs" / path.name, path.read_bytes())
    remove(engine, foreign.tag)
    again = ensure_base(engine, SilentReporter(), elsewhere, BaseChoice(architecture=other))
    assert (again.id, again.made) == (foreign.id, True)


MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"


def call(address, *, body=None, kind=MANIFEST):
    request = urllib.request.Request(address, data=body, headers={"Accept": kind, "Content-Type": kind})
    request.method = "PUT" if body else "GET"
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers, answer.read()


def test_it_is_pulled_by_platform_where_a_registry_has_both(engine, foreign, registry, tmp_path):
    repository, entries_of_list, other = f"{registry}/both", [], foreign.target.architecture
    for one in (foreign.runnable, foreign):
        assert one.origin == "packages", "this machine's registry has the distribution under another name"
        architecture = one.target.architecture
        engine.client.api.tag(one.source_id, repository, architecture)
        assert "error" not in engine.client.api.push(f"{repository}:{architecture}")
        remove(engine, f"{repository}:{architecture}")
        headers, body = call(f"http://{registry}/v2/both/manifests/{architecture}")
        entries_of_list.append(
            {
                "mediaType": MANIFEST,
                "digest": headers["Docker-Content-Digest"],
                "size": len(body),
                "platform": {"os": "linux", "architecture": architecture},
            }
        )
    document = {"schemaVersion": 2, "mediaType": MANIFEST_LIST, "manifests": entries_of_list}
    call(f"http://{registry}/v2/both/manifests/1", body=json.dumps(document).encode(), kind=MANIFEST_LIST)
    choice = BaseChoice(architecture=other, reference=f"{repository}:1")
    made = ensure_base(engine, SilentReporter(), Cache(tmp_path), choice)
    try:
        assert (made.origin, made.target.architecture) == ("pulled", other)
        assert [layer.diff_id for layer in made.config.layers] == [
            layer.diff_id for layer in foreign.config.layers
        ]
    finally:
        for reference in (made.tag, made.runnable.tag, f"{repository}:1"):
            remove(engine, reference)


def test_a_distribution_without_the_helpers_python_is_refused(engine, foreign, warm, recipe, tmp_path):
    source = obtain_source(engine, SilentReporter(), warm, Wanted(None, foreign.target.architecture))
    empty = tmp_path / "empty.tar"
    empty.write_bytes(directory_header("usr") + END)
    rootfs = replace(source.rootfs, layers=(layer_of("distribution", (file_part(empty),)),))
    hollow = replace(source, rootfs=rootfs)
    with pytest.raises(EngineRefused, match="no program of the other architecture"):
        make_foreign_base(engine, Cache(tmp_path / "cache"), recipe, hollow, foreign.runnable)
    assert left_behind(engine) == []
