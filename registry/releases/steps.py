"""The re-verification, one step for each state: what each finds out stands in the upload's results.

A step reads what earlier steps found and the stored bytes, and changes nothing but the object store: run twice,
it finds the same. ``Refused`` is the publisher's fault; a ``StorageFault`` or ``OSError`` is ours, and the step is
run again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from registry.releases.evidence import Exhibit, prove
from registry.releases.facts import compared
from registry.releases.manifest import read_release_manifest
from registry.releases.refused import Reason, Refused
from registry.releases.states import State
from registry.settings import Limits
from registry.storage import KeptArchive, Storage, fetch, fetch_kept
from toolchain.publish.archive import (
    ArchiveFile,
    ArchiveLimits,
    ArchiveReading,
    ArchiveRefused,
    read_archive,
    unpack_archive,
    write_archive,
)
from toolchain.scan import ScanOptions, scan


@dataclass
class Work:
    """One upload under verification: what was announced, what was found, and a folder of its own."""

    upload_id: str
    name: str
    version: str
    object_key: str
    expected_bytes: int | None
    expected_sha256: str | None
    claims: Mapping[str, Any]
    results: dict[str, Any]
    folder: Path
    archive: Path | None = None
    tree: Path | None = None


@dataclass(frozen=True)
class Verifier:
    """What the steps work with. ``trusted_keys`` is a folder of public keys that records may be signed with."""

    storage: Storage
    limits: Limits
    trusted_keys: Path | None = None
    scan_options: ScanOptions = field(default_factory=ScanOptions)

    def run(self, state: State, work: Work) -> dict[str, Any]:
        """What the step of ``state`` found. Raises ``Refused``, ``StorageFault`` or ``OSError``."""
        steps: dict[State, Callable[[Work], dict[str, Any]]] = {
            State.CONFIRMED: self._store,
            State.STORED: self._read,
            State.READ: self._scan,
            State.SCANNED: self._prove,
        }
        return steps[state](work)

    def _store(self, work: Work) -> dict[str, Any]:
        """Hash what lies in the store, by reading it, and keep it where only we write."""
        spool = work.folder / "upload"
        found = fetch(self.storage, work.object_key, spool, self.limits.archive_bytes)
        if found is None:
            raise Refused([Reason("archive.missing", "the object is not in the store; upload it again")])
        if found.size > self.limits.archive_bytes:
            message = f"the archive is larger than {self.limits.archive_bytes >> 20} MiB"
            raise Refused([Reason("archive.too-large", message)])
        announced = _first(work.claims.get("file_bytes"), work.expected_bytes)
        facts = [
            compared("archive.bytes", announced, found.size),
            compared("archive.sha256", work.expected_sha256, found.sha256, "hashed from the stored bytes"),
        ]
        etag = str(work.claims.get("etag") or "").strip('"').lower()
        if len(etag) in (32, 64):
            facts.append(compared("archive.etag", etag, found.md5 if len(etag) == 32 else found.sha256))
        differing = [fact for fact in facts if fact.standing.value == "differs"]
        if differing:
            reasons = (f"{fact.name}: announced {fact.claimed}, stored {fact.found}" for fact in differing)
            raise Refused([Reason("archive.differs", f"{reason}; upload it again") for reason in reasons])
        key = f"archives/{found.sha256[:2]}/{found.sha256}"
        self.storage.keep(key, spool)
        archive = {"key": key, "sha256": found.sha256, "bytes": found.size}
        return {"archive": archive, "facts": [fact.to_json() for fact in facts]}

    def _read(self, work: Work) -> dict[str, Any]:
        """Read the archive as a stranger's, write it anew, and want the same tar."""
        limits = self._archive_limits()
        try:
            reading = read_archive(self.archive(work), limits)
            again = read_archive(self._written_anew(work, reading), limits)
        except ArchiveRefused as reason:
            raise Refused([Reason(reason.rule, f"{reason.message}; {reason.remedy}", reason.where)]) from None
        if again.tar_sha256 != reading.tar_sha256 or not reading.canonical:
            message = "its tar is not the canonical one of its files; make it with `mixpeek plugin pack`"
            raise Refused([Reason("archive.not-canonical", message)])
        manifest = read_release_manifest(self.tree(work), work.name, work.version)
        if reading.top != work.name:
            message = f"the top folder is {reading.top!r}; it must be named after the plugin, {work.name!r}"
            raise Refused([Reason("archive.top-folder", message)])
        files = [[member.name, member.size, member.executable, member.sha256] for member in reading.members]
        found = {"tar_sha256": reading.tar_sha256, "files_sha256": reading.files_sha256, "format": reading.format}
        return {
            "reading": {**found, "extracted_bytes": reading.extracted_bytes},
            "files": files,
            "manifest": manifest,
        }

    def _scan(self, work: Work) -> dict[str, Any]:
        """Scan with our own rules. The archive, not a folder: nothing of it is passed over."""
        result = scan(self.archive(work), self.scan_options)
        told = _without_top(result.to_json(), f"{work.name}/")
        if not result.passed:
            bad = [finding for finding in told["findings"] if finding["level"] == "forbidden"]
            raise Refused([_violation(finding) for finding in bad], {"scan": told})
        return {"scan": told}

    def _prove(self, work: Work) -> dict[str, Any]:
        """Compare the record, if one came, with what we found."""
        archive = self.archive(work)
        reading = read_archive(archive, self._archive_limits())
        proof = prove(work, Exhibit(archive, reading, self.tree(work), self.trusted_keys))
        return {"facts": work.results["facts"] + [fact.to_json() for fact in proof.facts], "shown": proof.shown}

    def archive(self, work: Work) -> Path:
        """The kept archive as a file here, hashed on its way."""
        if work.archive is None:
            told = work.results["archive"]
            kept = KeptArchive(told["key"], told["sha256"], told["bytes"])
            work.archive = fetch_kept(self.storage, kept, work.folder / "archive.tar.gz")
        return work.archive

    def tree(self, work: Work) -> Path:
        """The archive unpacked; never executed or imported."""
        if work.tree is None:
            folder = work.folder / "tree" / work.name
            folder.parent.mkdir(exist_ok=True)
            unpack_archive(self.archive(work), folder, self._archive_limits())
            work.tree = folder
        return work.tree

    def _written_anew(self, work: Work, reading: ArchiveReading) -> Path:
        tree = self.tree(work)
        files = [
            ArchiveFile(member.name, tree / member.name, member.size, member.executable)
            for member in reading.members
        ]
        path = work.folder / "again"
        with path.open("wb") as stream:
            write_archive(reading.top, files, stream, reading.format)
        return path

    def _archive_limits(self) -> ArchiveLimits:
        return ArchiveLimits(self.limits.archive_bytes, self.limits.extracted_bytes, self.limits.files)


def _without_top(result: dict[str, Any], top: str) -> dict[str, Any]:
    for finding in result["findings"]:
        finding["file"] = finding["file"].removeprefix(top)
    for item in result["inventory"]:
        item["name"] = item["name"].removeprefix(top)
    return result


def _violation(finding: Mapping[str, Any]) -> Reason:
    message = f"{finding['message']}; {finding['remedy']}"
    return Reason(f"scan.{finding['rule']}", message, finding["file"], finding["line"], finding["column"])


def _first(*values: Any) -> Any:
    return next((value for value in values if value is not None), None)
