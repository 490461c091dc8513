"""The five statements of a release, as in-toto statements with published predicates where there are any.

Sources: in-toto Statement v1, SLSA provenance v1, SLSA verification summary v1, in-toto test-result v0.1,
CycloneDX 1.6. What those predicates have no place for stands under the key ``mixpeek``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from toolchain import __version__
from toolchain.core.digests import canonical_json, sha256_bytes
from toolchain.publish.archive import ArchiveReading

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_OURS: Final = "https://mixpeek.com/attestations"
VERIFIER: Final = f"{_OURS}/toolchain"

PROVENANCE: Final = "https://slsa.dev/provenance/v1"
SBOM: Final = "https://cyclonedx.org/bom"
SCAN: Final = f"{_OURS}/scan/v1"
TESTS: Final = "https://in-toto.io/attestation/test-result/v0.1"
SUMMARY: Final = "https://slsa.dev/verification_summary/v1"

KINDS: Final[Mapping[str, str]] = {
    "provenance": PROVENANCE,
    "sbom": SBOM,
    "scan": SCAN,
    "tests": TESTS,
    "summary": SUMMARY,
}
"""The statements of a record by their short names, in their order; the summary binds the others."""

Document = dict[str, Any]


@dataclass(frozen=True)
class Fact:
    """One fact, and whose word: ``recomputed`` (ours), ``observed`` (the engine's), ``claimed`` (the plugin's)."""

    fact: str
    value: str
    source: str

    def to_json(self) -> Document:
        """As plain data."""
        return {"fact": self.fact, "value": self.value, "source": self.source}


@dataclass(frozen=True)
class Subject:
    """The release that statements speak of."""

    name: str
    version: str
    reading: ArchiveReading

    @property
    def uri(self) -> str:
        """The platform's URI of the plugin."""
        return f"mixpeek://{self.name}@{self.version}"

    def to_json(self) -> list[Document]:
        """The archive, its tar and its list of files, each with its SHA-256."""
        base = f"{self.name}-{self.version}"
        return [
            _resource(f"{base}.{self.reading.format}", self.reading.archive_sha256),
            _resource(f"{base}.tar", self.reading.tar_sha256),
            _resource(f"{base}.files", self.reading.files_sha256),
        ]


def statement(subject: Subject, kind: str, predicate: Document) -> bytes:
    """A statement in canonical form; ``kind`` is a key of ``KINDS``."""
    return canonical_json(
        {
            "_type": STATEMENT_TYPE,
            "subject": subject.to_json(),
            "predicateType": KINDS[kind],
            "predicate": predicate,
        }
    )


def provenance(parameters: Document, dependencies: Sequence[Document], run: Document) -> Document:
    """The SLSA predicate: what the archive and image were made from.

    ``parameters`` are the plugin's own words, ``dependencies`` resource descriptors, ``run`` has ``started`` and
    ``finished`` (RFC 3339) and ``image`` (an id).
    """
    return {
        "buildDefinition": {
            "buildType": f"{_OURS}/build/v1",
            "externalParameters": parameters,
            "internalParameters": {"mixpeek": __version__},
            "resolvedDependencies": list(dependencies),
        },
        "runDetails": {
            "builder": {"id": VERIFIER, "version": {"mixpeek": __version__}},
            "metadata": {"startedOn": run["started"], "finishedOn": run["finished"]},
            "byproducts": [{**_resource("image", run["image"]), "annotations": {"source": "observed"}}],
        },
    }


def test_result(report: Document, configuration: Sequence[Document]) -> Document:
    """The in-toto predicate for a test run in the sandbox; ``report`` is the whole of ``plugin test --json``."""
    by_outcome: dict[str, list[str]] = {"passed": [], "failed": [], "skipped": []}
    for test in (report.get("tests") or {}).get("tests") or []:
        by_outcome.setdefault(str(test.get("outcome")), []).append(str(test.get("name") or test.get("id")))
    return {
        "result": "PASSED",
        "configuration": list(configuration),
        "passedTests": by_outcome["passed"],
        "warnedTests": by_outcome["skipped"],
        "failedTests": by_outcome["failed"],
        "mixpeek": report,
    }


test_result.__test__ = False  # type: ignore[attr-defined]  # pytest collects functions called test_…


def summary(
    subject: Subject, inputs: Mapping[str, bytes], facts: Sequence[Fact], *, at: str, levels: Sequence[str]
) -> Document:
    """The predicate that binds the others: ``inputs`` are their payloads by short name, ``at`` is RFC 3339."""
    return {
        "verifier": {"id": VERIFIER, "version": {"mixpeek": __version__}},
        "timeVerified": at,
        "resourceUri": subject.uri,
        "policy": {"uri": f"{_OURS}/policy/v1"},
        "inputAttestations": [bound(name, payload) for name, payload in inputs.items()],
        "verificationResult": "PASSED",
        "verifiedLevels": list(levels),
        "slsaVersion": "1.0",
        "mixpeek": {"facts": [fact.to_json() for fact in facts]},
    }


def bound(name: str, payload: bytes) -> Document:
    """How the summary names another statement: by the digest of what is signed, whoever signs it."""
    return {**_resource(name, sha256_bytes(payload)), "mediaType": PAYLOAD_TYPE}


def resource(name: str, digest: str, **more: Any) -> Document:
    """An in-toto resource descriptor with a SHA-256, which may be written ``sha256:…``."""
    return {**_resource(name, digest), **more}


def _resource(name: str, digest: str) -> Document:
    return {"name": name, "digest": {"sha256": digest.removeprefix("sha256:")}}
