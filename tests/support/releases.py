"""A signed release made without an engine: real archive, real keys, documents as the toolchain writes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.plugins import NAME, make_plugin
from toolchain.core.digests import canonical_json
from toolchain.core.reporter import SilentReporter
from toolchain.publish.keys import KeyStore
from toolchain.publish.packing import PackedPlugin, PackOrder, pack_plugin
from toolchain.publish.record import statements as say
from toolchain.publish.record.reading import SignedStatement, read_record, record_path
from toolchain.publish.record.signing import KeySigner, sign_record
from toolchain.publish.record.verify import VerifiedRelease, VerifyOrder, verify_release

WHEEL = "b" * 64
LOCK = f"""lock-version = "1.0"
[[packages]]
name = "numpy"
version = "2.0.0"
wheels = [{{ url = "https://files.example.com/numpy.whl", hashes = {{ sha256 = "{WHEEL}" }} }}]
"""
AT = "2026-06-01T12:00:00Z"


@dataclass
class SignedRelease:
    """An archive, its record, and the keys that it was made and is verified with."""

    packed: PackedPlugin
    keys: KeyStore

    @property
    def record(self) -> Path:
        """The record's file."""
        return record_path(self.packed.path)

    @property
    def statements(self) -> dict[str, SignedStatement]:
        """The record's statements."""
        return read_record(self.record)

    def payloads(self) -> dict[str, bytes]:
        """What is signed, by short name."""
        return {kind: signed.payload for kind, signed in self.statements.items()}

    def sign(self, payloads: dict[str, bytes], keys: KeyStore | None = None) -> None:
        """Write a record over these payloads."""
        self.record.write_bytes(sign_record(payloads, KeySigner((keys or self.keys).signer())))

    def verify(self, **more: Any) -> VerifiedRelease:
        """Verify with the keys that are trusted here."""
        return verify_release(VerifyOrder(self.packed.path, self.keys.trusted(), **more))


def make_signed_release(folder: Path, change: Callable[[dict[str, Any]], None] | None = None) -> SignedRelease:
    """A release of the minimal plugin; ``change`` edits the predicates before they are signed."""
    plugin = make_plugin(folder)
    plugin.write("pylock.cpu.toml", LOCK)
    outcome = pack_plugin(PackOrder(plugin.root, folder / "out"), SilentReporter())
    assert outcome.packed is not None, outcome.findings
    keys = KeyStore(folder / "keys")
    if not keys.private_path.exists():
        keys.generate()
    release = SignedRelease(outcome.packed, keys)
    release.sign(signed_payloads(outcome.packed, change))
    return release


def signed_payloads(
    packed: PackedPlugin, change: Callable[[dict[str, Any]], None] | None = None
) -> dict[str, bytes]:
    """The five statements about an archive."""
    subject = say.Subject(packed.name, packed.version, packed.reading)
    digests = {member.name: member.sha256 for member in packed.reading.members}
    predicates: dict[str, Any] = {
        "provenance": say.provenance(
            {"name": packed.name},
            [say.resource("pylock.cpu.toml", digests["pylock.cpu.toml"])],
            {"started": AT, "finished": AT, "image": "sha256:" + "a" * 64},
        ),
        "sbom": {
            "components": [{"name": "numpy", "version": "2.0.0", "hashes": [{"alg": "SHA-256", "content": WHEEL}]}]
        },
        "scan": {
            "passed": True,
            "strict": False,
            "rules": {"version": 1, "sha256": "c" * 64},
            "files_sha256": packed.reading.files_sha256,
            "findings": [],
        },
        "tests": say.test_result({"mode": "sandbox"}, [say.resource("sandbox policy", "d" * 64)]),
    }
    options = {"at": AT, "levels": ["MIXPEEK_SCANNED"]}
    document = {**predicates, "options": options}
    if change is not None:
        change(document)
    payloads = {kind: say.statement(subject, kind, document[kind]) for kind in predicates}
    facts = [say.Fact("image", "sha256:" + "a" * 64, "observed"), say.Fact("check tests", "passed", "claimed")]
    payloads["summary"] = say.statement(subject, "summary", say.summary(subject, payloads, facts, **options))
    return payloads


def canonical(value: Any) -> bytes:
    """Short for the canonical form."""
    return canonical_json(value)


__all__ = ["AT", "LOCK", "NAME", "SignedRelease", "canonical", "make_signed_release", "signed_payloads"]
