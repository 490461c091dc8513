"""The bill of materials names everything once, refers only to what it names, and never varies."""

import json

import pytest

from images.base.model import BaseImage
from images.build import BuiltImage
from images.image_config import ImageConfig, Layer
from images.pylock import Lock
from images.sbom import bill_of_materials
from images.store import WheelStore

METADATA = b"""Metadata-Version: 2.4
Name: app
Summary: An app
%s
Requires-Dist: demo>=1
Requires-Dist: absent; sys_platform == 'win32'
Requires-Dist: extra-only; extra == 'all'

Long text.
"""


@pytest.fixture
def built(cache, target, make_wheel, locked):
    def make(licence=b"License-Expression: MIT"):
        app = make_wheel({"app/x.py": b"1", "app-1.0.dist-info/METADATA": METADATA % licence}, name="app")
        wheels = (locked(app, name="app", url="https://u:hunter2@index.test/app.whl"), locked(make_wheel()))
        for wheel, path in zip(wheels, (app, make_wheel()), strict=True):
            kept = WheelStore(cache).path(wheel.sha256)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(path.read_bytes())
        lock = Lock(wheels, target, "")
        layers = (Layer("base", "sha256:" + "00" * 32, 1), Layer("dependencies", "sha256:" + "11" * 32, 2))
        config = ImageConfig("amd64", layers[:1], {}, {})
        base = BaseImage("b:1", "sha256:" + "22" * 32, "packages", "debian x: y", "sha256:33", "r", target, config)
        image = "sha256:" + "44" * 32
        return BuiltImage(image, "mixpeek/x:cpu", base, lock, layers, 3, (), "present", test_lock=lock)

    return make


def component(document, name):
    (found,) = [entry for entry in document["components"] if entry["name"] == name]
    return found


def test_it_is_deterministic_and_names_each_thing_once(built, cache):
    document = bill_of_materials(built(), cache)
    assert document == json.loads(json.dumps(bill_of_materials(built(), cache)))
    assert (document["bomFormat"], document["specVersion"], document["version"]) == ("CycloneDX", "1.6", 1)
    references = [entry["bom-ref"] for entry in document["components"]]
    assert len(references) == len(set(references)) == 3


def test_dependencies_refer_to_what_is_named(built, cache):
    document = bill_of_materials(built(), cache)
    known = {entry["bom-ref"] for entry in document["components"]} | {document["metadata"]["component"]["bom-ref"]}
    for entry in document["dependencies"]:
        assert {entry["ref"], *entry["dependsOn"]} <= known
    needs = {entry["ref"]: entry["dependsOn"] for entry in document["dependencies"]}
    assert needs[component(document, "app")["bom-ref"]] == [component(document, "demo")["bom-ref"]]


def test_a_component_has_its_address_digest_and_files(built, cache):
    app = component(bill_of_materials(built(), cache), "app")
    assert app["purl"] == "pkg:pypi/app@1.0"
    assert app["licenses"] == [{"expression": "MIT"}]
    assert app["description"] == "An app"
    assert "hunter2" not in json.dumps(app)
    assert {entry["name"] for entry in app["components"]} >= {"app/x.py", "app/__init__.py"}
    assert "components" not in component(bill_of_materials(built(), cache, files=False), "app")


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b"License: BSD", [{"license": {"name": "BSD"}}]),
        (b"Classifier: License :: OSI Approved :: MIT License", [{"license": {"name": "MIT License"}}]),
        (b"License: UNKNOWN", None),
    ],
)
def test_older_ways_of_naming_a_licence(built, cache, written, expected):
    assert component(bill_of_materials(built(written), cache), "app").get("licenses") == expected
