"""Turns what was found out about a release into its signed record."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from images.build import BuiltImage
from sandbox.policy import Policy
from toolchain.check.reading import read_plugin
from toolchain.core.digests import sha256_file, sha256_json
from toolchain.plugin.manifest import Manifest
from toolchain.plugin.permissions import read_permissions
from toolchain.publish.packing import PackedPlugin
from toolchain.publish.record import statements as say
from toolchain.publish.record.signing import StatementSigner, sign_record
from toolchain.publish.record.statements import Document, Fact, Subject

_LOCKS: Final = ("pylock.cpu.toml", "pylock.cuda.toml")
_TOLD: Final = ("description", "category")


@dataclass(frozen=True)
class Evidence:
    """Everything that the statements are made of: the archive, its image, the results as plain data.

    ``times`` are when the work was begun and ended.
    """

    packed: PackedPlugin
    image: BuiltImage
    sbom: Document
    report: Document
    scan: Document
    policy: Policy
    times: tuple[datetime, datetime]


def attest(evidence: Evidence, copy: Path, signer: StatementSigner) -> bytes:
    """The record: four statements and the summary that binds them. ``copy`` is the unpacked archive."""
    packed = evidence.packed
    subject = Subject(packed.name, packed.version, packed.reading)
    manifest = read_plugin(copy).manifest
    payloads = {
        "provenance": say.statement(subject, "provenance", _provenance(evidence, copy, manifest)),
        "sbom": say.statement(subject, "sbom", evidence.sbom),
        "scan": say.statement(subject, "scan", _scan(evidence)),
        "tests": say.statement(subject, "tests", say.test_result(evidence.report, _configuration(evidence))),
    }
    summary = say.summary(
        subject, payloads, list(_facts(evidence, manifest)), at=_time(evidence.times[1]), levels=_levels(evidence)
    )
    payloads["summary"] = say.statement(subject, "summary", summary)
    return sign_record(payloads, signer)


def _provenance(evidence: Evidence, copy: Path, manifest: Manifest) -> Document:
    image = evidence.image
    dependencies = [
        say.resource(f"{evidence.packed.name}.files", evidence.packed.reading.files_sha256),
        *(say.resource(name, sha256_file(copy / name)) for name in _LOCKS if (copy / name).is_file()),
        say.resource("base image", image.base.id, annotations={"origin": image.base.origin, "source": "observed"}),
        *(say.resource(f"pkg:pypi/{wheel.name}@{wheel.version}", wheel.sha256) for wheel in image.lock.wheels),
    ]
    run = {"started": _time(evidence.times[0]), "finished": _time(evidence.times[1]), "image": image.id}
    return say.provenance(_parameters(evidence.packed, manifest), dependencies, run)


def _parameters(packed: PackedPlugin, manifest: Manifest) -> Document:
    """What the plugin says of itself, as far as it is written as literals."""
    values = manifest.values
    metadata = values.get("metadata")
    places = [metadata, values] if isinstance(metadata, dict) else [values]
    told = {key: str(place[key]) for key in _TOLD for place in places if isinstance(place.get(key), str)}
    asked = [line for line, _ in manifest.dependencies]
    return {
        "name": packed.name,
        "version": packed.version,
        "format": packed.reading.format,
        **told,
        "dependencies": asked,
        "permissions": _permissions(manifest),
    }


def _permissions(manifest: Manifest) -> dict[str, list[str]]:
    """What the plugin declares to need outside: hosts, executables, environment."""
    return {kind: listed for kind, listed in read_permissions(manifest).to_json().items() if listed}


def _scan(evidence: Evidence) -> Document:
    stats = {key: value for key, value in evidence.scan["stats"].items() if key not in {"seconds", "cached"}}
    return {**evidence.scan, "stats": stats, "files_sha256": evidence.packed.reading.files_sha256}


def _configuration(evidence: Evidence) -> list[Document]:
    """What the tests ran in: the digests of policy, of its seccomp profile's use, and of the image."""
    return [
        say.resource("sandbox policy", evidence.policy.digest, annotations=evidence.policy.to_json()),
        say.resource("image", _tested_image(evidence), annotations={"source": "observed"}),
    ]


def _tested_image(evidence: Evidence) -> str:
    image = (evidence.report.get("evidence") or {}).get("image") or {}
    return str(image.get("id") or evidence.image.id)


def _facts(evidence: Evidence, manifest: Manifest) -> Iterator[Fact]:
    reading = evidence.packed.reading
    yield Fact("archive", reading.archive_sha256, "recomputed")
    yield Fact("tar", reading.tar_sha256, "recomputed")
    yield Fact("files", reading.files_sha256, "recomputed")
    yield Fact("dependencies", evidence.image.lock.digest, "recomputed")
    yield Fact("scan rules", str(evidence.scan["rules"]["sha256"]), "recomputed")
    yield Fact("scan findings", str(len(evidence.scan["findings"])), "recomputed")
    yield Fact("sandbox policy", evidence.policy.digest, "recomputed")
    yield Fact("image", evidence.image.id, "observed")
    yield Fact("base image", f"{evidence.image.base.id} ({evidence.image.base.origin})", "observed")
    observed = (evidence.report.get("evidence") or {}).get("observed")
    if isinstance(observed, dict):
        yield Fact("sandbox run", sha256_json(observed), "observed")
    for check in evidence.report.get("checks") or []:
        yield Fact(f"check {check['name']}", f"{check['status']}: {check['detail']}", str(check["source"]))
    for kind, listed in _permissions(manifest).items():
        yield Fact(f"asks for {kind}", ", ".join(listed) or "none", "claimed")


def _levels(evidence: Evidence) -> list[str]:
    levels = ["MIXPEEK_SCANNED", "MIXPEEK_TESTED_IN_SANDBOX"]
    return [*levels, "MIXPEEK_SCANNED_STRICT"] if evidence.scan.get("strict") else levels


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
