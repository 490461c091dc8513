"""An image's id is known before any engine has seen it, and its archives hold what they should."""

import io
import json
import tarfile

import pytest

from images.image_archive import growing_archive, image_archive
from images.image_config import ImageConfig, Layer, layer_of
from toolchain.core.digests import sha256_bytes
from toolchain.core.tarball import END, file_entry

BELOW = Layer("base", "sha256:" + "11" * 32, 100)
ABOVE = layer_of("code", (file_entry("a", b"1"), END))
RUN = {
    "User": "65532:65532",
    "Env": ["A=b"],
    "Cmd": ["/x"],
    "Hostname": "f00",
    "Image": "sha256:1",
    "Volumes": None,
}


def image(labels=None, run=None):
    return ImageConfig("amd64", (BELOW, ABOVE), RUN if run is None else run, labels or {"b": "2", "a": "1"})


def read(archive):
    with tarfile.open(fileobj=io.BytesIO(b"".join(archive))) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}


def test_the_id_is_pinned():
    assert image().id == "sha256:8491ecfed477566335bcf7ddb493fa57de03e67892feeaeb85a69c5e0b2c7624"


def test_the_id_depends_on_no_order_and_on_nothing_of_the_engines():
    assert image({"a": "1", "b": "2"}).id == image().id
    assert image(run={**RUN, "Hostname": "other", "Image": "sha256:2"}).id == image().id
    assert image({"a": "1"}).id != image().id
    assert image(run={**RUN, "User": "0"}).id != image().id


def test_a_docker_archive_holds_only_the_layers_named():
    found = read(image_archive("docker", image(), "x:1", {ABOVE.diff_id}))
    (manifest,) = json.loads(found["manifest.json"])
    assert manifest["RepoTags"] == ["x:1"]
    assert manifest["Layers"] == [f"{layer.diff_id[7:]}.tar" for layer in (BELOW, ABOVE)]
    assert sha256_bytes(found[manifest["Config"]]) == image().id[7:]
    assert manifest["Layers"][0] not in found
    assert "sha256:" + sha256_bytes(found[manifest["Layers"][1]]) == ABOVE.diff_id


def test_an_oci_archive_holds_only_the_layers_named():
    found = read(image_archive("oci", image(), "x:1", {ABOVE.diff_id}))
    (entry,) = json.loads(found["index.json"])["manifests"]
    manifest = json.loads(found["blobs/sha256/" + entry["digest"][7:]])
    assert entry["annotations"]["org.opencontainers.image.ref.name"] == "x:1"
    assert manifest["config"]["digest"] == image().id
    assert [layer["digest"] for layer in manifest["layers"]] == [BELOW.diff_id, ABOVE.diff_id]
    assert [layer["size"] for layer in manifest["layers"]] == [100, ABOVE.size]
    assert "blobs/sha256/" + BELOW.diff_id[7:] not in found
    assert "blobs/sha256/" + ABOVE.diff_id[7:] in found


@pytest.mark.parametrize("form", ["docker", "oci"])
def test_an_archive_can_be_sent_before_its_image_is_known(form):
    known = []

    def layers():
        yield ABOVE
        known.append(image())

    archive = growing_archive(form, layers(), lambda: known[0], "x:1")
    assert read(archive) == read(image_archive(form, image(), "x:1", {ABOVE.diff_id}))


def test_a_layer_that_occurs_twice_is_sent_once():
    twice = ImageConfig("amd64", (ABOVE, ABOVE), RUN, {})
    archive = b"".join(image_archive("docker", twice, "x:1", {ABOVE.diff_id}))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert len(tar.getnames()) == 3


def test_what_lies_on_top_keeps_what_is_below():
    top = image().on_top((ABOVE,), {"c": "3"})
    assert top.layers == (BELOW, ABOVE, ABOVE)
    assert top.labels == {"a": "1", "b": "2", "c": "3"}
    assert top.run == RUN
