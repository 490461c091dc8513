"""Writes an image as an archive that engines load: docker-save and OCI layout.

Only the layers that are given are in it. An engine that holds the others already takes it so: Docker's classic
store looks layers up by chain before it opens their files, and containers/storage (podman) reuses blobs by digest.
That is what makes a one-line change cost milliseconds: measured 0.087 s against 1.6 s for a full load.

Layers come first and what describes them last, so that an archive can be sent before all of its layers are made:
both engines unpack the whole before they read any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, Literal

from images.image_config import ImageConfig, Layer
from toolchain.core.digests import canonical_json, sha256_bytes
from toolchain.core.tarball import END, chunks, directory_header, file_entry, file_header, padding

Format = Literal["docker", "oci"]

_CONFIG: Final = "application/vnd.oci.image.config.v1+json"
_LAYER: Final = "application/vnd.oci.image.layer.v1.tar"
_MANIFEST: Final = "application/vnd.oci.image.manifest.v1+json"
_INDEX: Final = "application/vnd.oci.image.index.v1+json"


def image_archive(form: Format, image: ImageConfig, tag: str, included: Collection[str]) -> Iterator[bytes]:
    """The image with those of its layers whose diff ids are ``included``."""
    return growing_archive(form, _distinct(image, included), lambda: image, tag)


def growing_archive(
    form: Format, layers: Iterable[Layer], image: Callable[[], ImageConfig], tag: str
) -> Iterator[bytes]:
    """An archive with the tars of ``layers``; ``image`` is asked for when they are all written."""
    yield from _OPENINGS[form]
    for layer in layers:
        yield file_header(_PLACES[form](layer), layer.size)
        yield from chunks(layer.parts)
        yield padding(layer.size)
    yield from _DOCUMENTS[form](image(), tag)
    yield END


def _docker_documents(image: ImageConfig, tag: str) -> Iterator[bytes]:
    config = image.document
    name = f"{sha256_bytes(config)}.json"
    layers = [_docker_place(layer) for layer in image.layers]
    yield file_entry("manifest.json", canonical_json([{"Config": name, "RepoTags": [tag], "Layers": layers}]))
    yield file_entry(name, config)


def _docker_place(layer: Layer) -> str:
    return f"{_hex(layer.diff_id)}.tar"


def _oci_documents(image: ImageConfig, tag: str) -> Iterator[bytes]:
    config = image.document
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": _descriptor(_CONFIG, f"sha256:{sha256_bytes(config)}", len(config)),
            "layers": [_descriptor(_LAYER, layer.diff_id, layer.size) for layer in image.layers],
        }
    )
    entry = _descriptor(_MANIFEST, f"sha256:{sha256_bytes(manifest)}", len(manifest))
    entry["annotations"] = {"org.opencontainers.image.ref.name": tag, "io.containerd.image.name": tag}
    index = {"schemaVersion": 2, "mediaType": _INDEX, "manifests": [entry]}
    yield file_entry("oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}))
    yield file_entry("index.json", canonical_json(index))
    for document in (manifest, config):
        yield file_entry(f"blobs/sha256/{sha256_bytes(document)}", document)


def _oci_place(layer: Layer) -> str:
    return f"blobs/sha256/{_hex(layer.diff_id)}"


def _distinct(image: ImageConfig, included: Collection[str]) -> list[Layer]:
    return list({layer.diff_id: layer for layer in image.layers if layer.diff_id in included}.values())


def _descriptor(media_type: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest, "size": size}


def _hex(diff_id: str) -> str:
    return diff_id.removeprefix("sha256:")


_OPENINGS: Final = {"docker": (), "oci": (directory_header("blobs"), directory_header("blobs/sha256"))}
_PLACES: Final = {"docker": _docker_place, "oci": _oci_place}
_DOCUMENTS: Final = {"docker": _docker_documents, "oci": _oci_documents}
