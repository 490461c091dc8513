"""Verifies a release offline: the archive is read again, every statement is checked, and what fails is raised."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from toolchain.plugin.manifest import SourceProblem, parse_source, read_manifest
from toolchain.publish.archive import ArchiveReading, read_archive
from toolchain.publish.keys import TrustedKey
from toolchain.publish.record.policy import VerifyPolicy
from toolchain.publish.record.reading import SignedStatement, read_record, record_path
from toolchain.publish.record.refused import RecordRefused
from toolchain.publish.record.signing import SigningFailed, verify_bundle
from toolchain.publish.record.statements import KINDS, Fact, Subject, bound

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from securesystemslib.signer import SSlibKey

_SOURCE_LIMIT: Final = 512 << 10
_LOCK_LIMIT: Final = 8 << 20
_KEPT: Final = {"manifest.py": _SOURCE_LIMIT, "pylock.cpu.toml": _LOCK_LIMIT, "pylock.cuda.toml": _LOCK_LIMIT}
# A verifier's clock may be a little behind the publisher's.
_SKEW: Final = timedelta(minutes=10)

Trusted = Mapping[str, "tuple[TrustedKey, SSlibKey]"]


@dataclass(frozen=True)
class VerifyOrder:
    """What to verify: ``record`` is beside the archive unless given; ``trusted`` are keys by their id."""

    archive: Path
    trusted: Trusted
    record: Path | None = None
    policy: VerifyPolicy = field(default_factory=VerifyPolicy)


@dataclass(frozen=True)
class VerifiedRelease:
    """A release that holds: who signed it, when it was verified, and every fact with whose word it is."""

    subject: Subject
    signer: str
    verified_at: datetime
    facts: tuple[Fact, ...]
    statements: Mapping[str, SignedStatement]


def verify_release(order: VerifyOrder, now: datetime | None = None) -> VerifiedRelease:
    """Verify an archive with its record. Nothing of the plugin is run, nothing is asked of the network.

    Raises ``ArchiveRefused`` and ``RecordRefused``, each with the rule that failed, and ``UsageFault`` when a file
    cannot be read. There is no other way to learn of a failure.
    """
    kept = _Kept()
    reading = read_archive(order.archive, sink=kept.sink)
    if not reading.canonical:
        raise RecordRefused("not-canonical", "the archive is not in canonical form", where=order.archive.name)
    subject = _identity(kept.data, reading)
    statements = read_record(order.record or record_path(order.archive))
    signer = _check_signatures(statements, order)
    for kind, signed in statements.items():
        _check_subject(kind, signed, subject)
    _check_bound(statements)
    at = _check_summary(statements["summary"], subject, order.policy, now or datetime.now(timezone.utc))
    facts = _recomputed(statements, kept.data, reading)
    _check_policy(statements, order.policy)
    return VerifiedRelease(subject, signer, at, (*facts, *_told(statements["summary"], facts)), statements)


class _Kept:
    """Keeps the few files of the archive that verifying looks into."""

    def __init__(self) -> None:
        self._open: dict[str, io.BytesIO] = {}

    @property
    def data(self) -> dict[str, bytes]:
        return {name: stream.getvalue() for name, stream in self._open.items()}

    def sink(self, name: str, _executable: bool) -> AbstractContextManager[BinaryIO]:
        if name not in _KEPT:
            return nullcontext(_Nowhere())
        self._open[name] = io.BytesIO()
        return nullcontext(self._open[name])


class _Nowhere(io.BytesIO):
    def write(self, data: Any) -> int:
        return len(data)


def _identity(kept: Mapping[str, bytes], reading: ArchiveReading) -> Subject:
    """Name and version as the archive's own manifest states them."""
    data = kept.get("manifest.py", b"")
    parsed = parse_source(data, "manifest.py") if len(data) <= _SOURCE_LIMIT else None
    if parsed is None or isinstance(parsed, SourceProblem):
        raise RecordRefused("manifest", "the archive's manifest.py cannot be read", where="manifest.py")
    manifest = read_manifest(parsed)
    name, version = manifest.name, manifest.version
    if name is None or version is None or name != reading.top:
        message = f"the manifest names {name!r} {version!r}, the archive's folder is {reading.top!r}"
        raise RecordRefused("manifest", message, where="manifest.py")
    return Subject(name, version, reading)


def _check_signatures(statements: Mapping[str, SignedStatement], order: VerifyOrder) -> str:
    """Who signed: every statement by the same trusted signer, so that two records cannot be mixed."""
    signers = {kind: _signer(kind, signed, order) for kind, signed in statements.items()}
    first = signers["summary"]
    for kind, signer in signers.items():
        if signer != first:
            raise RecordRefused(
                "mixed-signers", f"{kind} is signed by {signer}, the summary by {first}", where=kind
            )
    return first


def _signer(kind: str, signed: SignedStatement, order: VerifyOrder) -> str:
    policy = order.policy
    if signed.bundle is not None:
        return _keyless(kind, signed, policy)
    from securesystemslib.exceptions import UnverifiedSignatureError
    from securesystemslib.signer import Signature

    pae = _pae(signed)
    for keyid, signature in signed.signatures:
        known = order.trusted.get(keyid)
        if known is None or (policy.signers and not {known[0].name, keyid} & set(policy.signers)):
            continue
        try:
            known[1].verify_signature(Signature(keyid, signature.hex()), pae)
        except UnverifiedSignatureError:
            raise RecordRefused("bad-signature", f"the signature of {kind} does not verify", where=kind) from None
        return f"key {known[0].name} ({keyid[:16]})"
    ids = ", ".join(ascii(keyid[:16])[1:-1] for keyid, _ in signed.signatures)
    remedy = "if you know the publisher's key, `mixpeek key trust FILE`; else do not use this release"
    raise RecordRefused("wrong-key", f"{kind} is signed by nobody you trust: {ids}", where=kind, remedy=remedy)


def _keyless(kind: str, signed: SignedStatement, policy: VerifyPolicy) -> str:
    if policy.identity is None or policy.issuer is None or signed.bundle is None:
        remedy = "name the publisher's identity and issuer in the policy file"
        raise RecordRefused("wrong-key", f"{kind} is signed through Sigstore", where=kind, remedy=remedy)
    try:
        payload = verify_bundle(signed.bundle, policy.identity, policy.issuer)
    except SigningFailed as reason:
        raise RecordRefused("bad-signature", reason.message, where=kind) from reason
    if payload != signed.payload:
        raise RecordRefused("bad-signature", "the bundle signs another payload", where=kind)
    return f"identity {policy.identity}"


def _pae(signed: SignedStatement) -> bytes:
    from securesystemslib.dsse import Envelope

    from toolchain.publish.record.statements import PAYLOAD_TYPE

    pae: bytes = Envelope(signed.payload, PAYLOAD_TYPE, {}).pae()
    return pae


def _check_subject(kind: str, signed: SignedStatement, subject: Subject) -> None:
    if signed.statement.get("subject") != subject.to_json():
        names = {"archive": subject.reading.archive_sha256, "tar": subject.reading.tar_sha256}
        told = str(signed.statement.get("subject"))
        differs = [name for name, digest in names.items() if digest not in told] or ["files or names"]
        message = f"{kind} speaks of another release: the {' and the '.join(differs)} differ"
        raise RecordRefused("foreign-subject", message, where=kind)


def _check_bound(statements: Mapping[str, SignedStatement]) -> None:
    """The summary names exactly the other four, by the digests of what was signed."""
    listed = statements["summary"].predicate.get("inputAttestations")
    if not isinstance(listed, list):
        raise RecordRefused("malformed", "the summary binds nothing", where="summary")
    for kind in KINDS:
        if kind == "summary":
            continue
        if bound(kind, statements[kind].payload) not in listed:
            named = any(isinstance(entry, dict) and entry.get("name") == kind for entry in listed)
            message = (
                f"{kind} is not the one that the summary binds" if named else f"the summary leaves out {kind}"
            )
            raise RecordRefused("swapped", message, where=kind)
    if len(listed) != len(KINDS) - 1:
        raise RecordRefused("dropped", "the summary binds statements that are not here", where="summary")


def _check_summary(signed: SignedStatement, subject: Subject, policy: VerifyPolicy, now: datetime) -> datetime:
    summary = signed.predicate
    if summary.get("resourceUri") != subject.uri:
        message = f"the summary speaks of {ascii(summary.get('resourceUri'))[:100]}, the manifest of {subject.uri}"
        raise RecordRefused("foreign-subject", message, where="summary")
    if summary.get("verificationResult") != "PASSED":
        raise RecordRefused("not-passed", "the summary does not say PASSED", where="summary")
    try:
        at = datetime.fromisoformat(str(summary.get("timeVerified")).replace("Z", "+00:00"))
        early = at > now + _SKEW
    except (ValueError, TypeError):
        raise RecordRefused("malformed", "the time of the verdict is none", where="summary") from None
    if early:
        raise RecordRefused("stale", f"the verdict is from the future: {at.isoformat()}", where="summary")
    if policy.max_age_days is not None and now - at > timedelta(days=policy.max_age_days):
        message = f"the verdict is of {at.date()}; the policy takes {policy.max_age_days:g} days"
        raise RecordRefused("stale", message, where="summary", remedy="ask for a release that was verified anew")
    return at


def _recomputed(
    statements: Mapping[str, SignedStatement], kept: Mapping[str, bytes], reading: ArchiveReading
) -> list[Fact]:
    """What the archive itself says, compared with the statements where they speak of the same."""
    digests = {member.name: member.sha256 for member in reading.members}
    facts = [
        Fact("archive", reading.archive_sha256, "recomputed"),
        Fact("tar", reading.tar_sha256, "recomputed"),
        Fact("files", reading.files_sha256, "recomputed"),
    ]
    for lock in ("pylock.cpu.toml", "pylock.cuda.toml"):
        told = _dependency(statements["provenance"], lock)
        if told != digests.get(lock):
            raise RecordRefused("lock-differs", f"{lock} is not the one in the archive", where="provenance")
        if told is not None:
            facts.append(Fact(lock, told, "recomputed"))
    if "pylock.cpu.toml" in kept:
        count = _check_sbom(statements["sbom"], kept["pylock.cpu.toml"])
        facts.append(Fact("packages", str(count), "recomputed"))
    if statements["scan"].predicate.get("files_sha256") != reading.files_sha256:
        raise RecordRefused("foreign-subject", "the scan is of other files", where="scan")
    return facts


def _dependency(signed: SignedStatement, name: str) -> str | None:
    definition = signed.predicate.get("buildDefinition")
    listed = definition.get("resolvedDependencies") if isinstance(definition, dict) else None
    if not isinstance(listed, list):
        raise RecordRefused("malformed", "the provenance names no dependencies", where="provenance")
    return next((_digest(entry) for entry in listed if _is(entry, name)), None)


def _is(entry: Any, name: str) -> bool:
    """Whether a resource descriptor has this name."""
    return isinstance(entry, dict) and entry.get("name") == name


def _digest(entry: dict[str, Any]) -> str:
    digest = entry.get("digest")
    return str(digest.get("sha256")) if isinstance(digest, dict) else ""


def _check_sbom(signed: SignedStatement, lock: bytes) -> int:
    """The wheels of the lock are components of the SBOM, each with its hash; returns how many."""
    from toolchain.core.toml import parse_toml

    try:
        packages = parse_toml(lock)["packages"]
        wanted = {
            str(package["name"]): {str(wheel["hashes"]["sha256"]) for wheel in package["wheels"]}
            for package in packages
        }
        told = {
            (str(component["name"]), str(one["content"]))
            for component in signed.predicate["components"]
            for one in component.get("hashes", [])
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        raise RecordRefused("malformed", "SBOM or lock cannot be read", where="sbom") from None
    missing = sorted(name for name, digests in wanted.items() if not told & {(name, one) for one in digests})
    if missing:
        raise RecordRefused("sbom-differs", f"not in the SBOM as locked: {', '.join(missing[:5])}", where="sbom")
    return len(wanted)


def _check_policy(statements: Mapping[str, SignedStatement], policy: VerifyPolicy) -> None:
    for demand in _DEMANDS:
        demand(statements, policy)


def _scan_passed(statements: Mapping[str, SignedStatement], policy: VerifyPolicy) -> None:
    scan = statements["scan"].predicate
    if scan.get("passed") is not True:
        raise RecordRefused("not-passed", "the scan did not pass", where="scan")
    if policy.require_strict_scan and scan.get("strict") is not True:
        raise RecordRefused("policy", "the policy asks for a strict scan", where="scan")
    rules = scan.get("rules")
    digest = rules.get("sha256") if isinstance(rules, dict) else None
    if policy.scan_rules and digest not in policy.scan_rules:
        raise RecordRefused("policy", "the scan used rules that the policy does not name", where="scan")


def _tests_passed(statements: Mapping[str, SignedStatement], policy: VerifyPolicy) -> None:
    tests = statements["tests"].predicate
    if tests.get("result") != "PASSED" or tests.get("failedTests"):
        raise RecordRefused("not-passed", "the tests did not pass", where="tests")
    report = tests.get("mixpeek")
    mode = report.get("mode") if isinstance(report, dict) else None
    if policy.require_sandbox and mode != "sandbox":
        raise RecordRefused("policy", "the tests did not run in the sandbox", where="tests")
    configuration = tests.get("configuration")
    listed = configuration if isinstance(configuration, list) else []
    used = {_digest(entry) for entry in listed if _is(entry, "sandbox policy")}
    if policy.sandbox_policies and not used & set(policy.sandbox_policies):
        raise RecordRefused("policy", "the sandbox had a policy that yours does not name", where="tests")


def _packages_allowed(statements: Mapping[str, SignedStatement], policy: VerifyPolicy) -> None:
    from packaging.utils import canonicalize_name

    components = statements["sbom"].predicate.get("components")
    if not isinstance(components, list) or not all(isinstance(one, dict) for one in components):
        raise RecordRefused("malformed", "the SBOM lists no components", where="sbom")
    # An index takes Ruamel.YAML and ruamel_yaml for the same package (PEP 503), and so must a ban.
    names = {canonicalize_name(str(component.get("name"))) for component in components}
    bad = sorted(names & {canonicalize_name(name) for name in policy.forbidden_packages})
    if bad:
        raise RecordRefused("policy", f"the policy forbids {', '.join(bad[:5])}", where="sbom")


_DEMANDS: Final[tuple[Callable[[Mapping[str, SignedStatement], VerifyPolicy], None], ...]] = (
    _scan_passed,
    _tests_passed,
    _packages_allowed,
)


def _told(signed: SignedStatement, known: list[Fact]) -> list[Fact]:
    """What the summary tells beyond what was recomputed just now: the publisher's word, signed."""
    extra = signed.predicate.get("mixpeek")
    listed = extra.get("facts") if isinstance(extra, dict) else None
    recomputed = {fact.fact for fact in known}
    keys = {"fact", "value", "source"}
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return [
        Fact(str(entry["fact"]), str(entry["value"]), f"signed: {entry['source']}")
        for entry in entries
        if set(entry) == keys and entry["fact"] not in recomputed
    ]
