"""The bill of materials of an image: CycloneDX 1.6, straight from its locks and its wheels' own records.

No tool looks into the image and guesses. There is no clock and no random number in it: the same image gives the
same bytes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import Any, Final

from images.build import BuiltImage
from images.files import Cache
from images.pylock import Lock, LockedWheel
from images.requirement_sources import redact
from images.store import WheelStore
from images.wheel import Wheel, open_wheel
from toolchain.core.errors import DependencyFault

_NAMESPACE: Final = uuid.UUID("6f1f3c8e-54a3-5f0c-9d3f-6a1f1d1f7c11")
_LICENCE_LIMIT: Final = 100

Document = dict[str, Any]


def bill_of_materials(built: BuiltImage, cache: Cache, *, files: bool = True) -> Document:
    """The CycloneDX document of an image; ``files`` adds every installed file with its digest.

    Wheels that were pruned are fetched again. Raises what fetching raises, and ``DependencyFault`` for a wheel
    that is refused.
    """
    locks = [lock for lock in (built.lock, built.test_lock) if lock is not None]
    components, dependencies = [], [_root_dependency(built, locks)]
    for lock in locks:
        paths = WheelStore(cache).fetch(lock.wheels).paths
        known = {wheel.name: _reference(wheel) for wheel in lock.wheels}
        for wheel in lock.wheels:
            component, needs = _described(wheel, paths[wheel.sha256], lock, files=files)
            components.append(component)
            wanted = sorted({known[name] for name in needs if name in known})
            dependencies.append({"ref": _reference(wheel), "dependsOn": wanted})
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, built.id)}",
        "version": 1,
        "metadata": {"component": _image(built)},
        "components": [_base(built), *_distinct(components, "bom-ref")],
        "dependencies": list(_distinct(dependencies, "ref")),
    }


def _image(built: BuiltImage) -> Document:
    return {
        "type": "container",
        "bom-ref": built.id,
        "name": built.tag.rpartition(":")[0],
        "version": built.id,
        "hashes": [_sha256(built.id.removeprefix("sha256:"))],
        "properties": [
            {"name": f"com.mixpeek.layer.{number}", "value": f"{layer.role} {layer.diff_id}"}
            for number, layer in enumerate(built.layers)
        ],
    }


def _base(built: BuiltImage) -> Document:
    base = built.base
    return {
        "type": "operating-system",
        "bom-ref": base.id,
        "name": base.source.partition(":")[0] if base.origin == "packages" else base.source,
        "version": base.source_id,
        "description": f"{base.origin}: {base.source}; Python {base.target.python}, glibc {base.target.glibc}",
    }


def _root_dependency(built: BuiltImage, locks: Iterable[Lock]) -> Document:
    references = sorted({_reference(wheel) for lock in locks for wheel in lock.wheels})
    return {"ref": built.id, "dependsOn": [built.base.id, *references]}


def _described(wheel: LockedWheel, path: Path, lock: Lock, *, files: bool) -> tuple[Document, set[str]]:
    """The component of a wheel and the canonical names of what it asks for on this target."""
    with open_wheel(path, wheel.filename) as opened:
        metadata = _metadata(opened)
        component: Document = {
            "type": "library",
            "bom-ref": _reference(wheel),
            "name": wheel.name,
            "version": wheel.version,
            "purl": f"pkg:pypi/{wheel.name}@{wheel.version}",
            "hashes": [_sha256(wheel.sha256)],
            "externalReferences": [{"type": "distribution", "url": redact(wheel.url)}],
        }
        if summary := metadata.get("Summary"):
            component["description"] = str(summary)
        if licences := _licences(metadata):
            component["licenses"] = licences
        if files:
            component["components"] = list(_files(opened, wheel))
    return component, set(_needs(metadata, lock))


def _metadata(wheel: Wheel) -> Message:
    for file in wheel.files:
        if file.path.endswith(".dist-info/METADATA") and file.path.count("/") == 1:
            return HeaderParser().parsestr(wheel.read(file).decode("utf-8", errors="replace"))
    raise DependencyFault(f"{wheel.filename} is refused: it has no METADATA", remedy="choose another version")


def _licences(metadata: Message) -> list[Document]:
    if expression := metadata.get("License-Expression"):
        return [{"expression": str(expression)}]
    written = str(metadata.get("License") or "").strip()
    if written and "\n" not in written and len(written) <= _LICENCE_LIMIT and written != "UNKNOWN":
        return [{"license": {"name": written}}]
    classifiers = [str(line) for line in metadata.get_all("Classifier") or []]
    names = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License :: ")]
    return [{"license": {"name": name}} for name in sorted(set(names))]


def _needs(metadata: Message, lock: Lock) -> Iterator[str]:
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    environment = {**lock.target.marker_environment, "extra": ""}
    for line in metadata.get_all("Requires-Dist") or []:
        try:
            requirement = Requirement(str(line))
        except InvalidRequirement:
            continue
        if requirement.marker is None or requirement.marker.evaluate(environment):
            yield canonicalize_name(requirement.name)


def _files(opened: Wheel, wheel: LockedWheel) -> Iterator[Document]:
    for file in opened.files:
        entry: Document = {"type": "file", "bom-ref": f"{_reference(wheel)}#{file.path}", "name": file.path}
        yield {**entry, "hashes": [_sha256(file.sha256)]} if file.sha256 else entry


def _distinct(entries: Iterable[Document], key: str) -> Iterator[Mapping[str, Any]]:
    """One entry for each reference: pytest's layer may hold a wheel that the plugin has too."""
    yield from {entry[key]: entry for entry in entries}.values()


def _reference(wheel: LockedWheel) -> str:
    return f"pkg:pypi/{wheel.name}@{wheel.version}?file_name={wheel.filename}"


def _sha256(digest: str) -> Document:
    return {"alg": "SHA-256", "content": digest}
