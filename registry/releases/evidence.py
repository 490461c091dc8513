"""The record that came with an archive, compared with what we found ourselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.releases.facts import Fact, Standing, compared
from registry.releases.refused import Reason, Refused
from registry.texts import clean
from toolchain.core.digests import canonical_json
from toolchain.core.toml import parse_toml
from toolchain.publish.archive import ArchiveReading
from toolchain.publish.keys import public_keys
from toolchain.publish.record.policy import VerifyPolicy
from toolchain.publish.record.reading import SignedStatement, parse_record_document
from toolchain.publish.record.refused import RecordRefused
from toolchain.publish.record.statements import Subject
from toolchain.publish.record.verify import VerifiedRelease, VerifyOrder, verify_release

if TYPE_CHECKING:
    from registry.releases.steps import Work

_LOCK = "pylock.cpu.toml"
_LOCK_LIMIT = 8 << 20
_LINES = 2_000
_NOBODY = "no key that this registry trusts"
_SIGNER = "give your signing.pub (`mixpeek key show`) to the registry's operator, then publish again"
_TEXT = 300

Statements = Mapping[str, SignedStatement]


@dataclass(frozen=True)
class Exhibit:
    """What there is to compare: the archive as a file and as it was read, its tree, and trusted keys."""

    archive: Path
    reading: ArchiveReading
    tree: Path
    trusted_keys: Path | None


@dataclass(frozen=True)
class Proof:
    """The facts, and what the reviewers' pages show beside them."""

    facts: list[Fact]
    shown: dict[str, Any]


def prove(work: Work, exhibit: Exhibit) -> Proof:
    """Compare. Raises ``Refused`` for a record that is damaged, of another release, or not by a trusted key."""
    packages = _locked(exhibit.tree)
    facts = list(_own(work))
    document = work.claims.get("record")
    if document is None:
        facts.append(Fact("record", Standing.NOT_CHECKED, note="no record was sent"))
        return Proof(facts, {"packages": packages, "sbom": None, "behaviour": None})
    try:
        statements = parse_record_document(document)
        facts += _signed(work, exhibit, statements)
    except RecordRefused as reason:
        raise Refused([_reason(reason)]) from None
    facts += [*_told(work, statements), _bill(packages, statements)]
    shown = {"packages": packages, "sbom": _components(statements), "behaviour": _behaviour(statements)}
    return Proof(facts, shown)


def _reason(refused: RecordRefused) -> Reason:
    """The publisher reads this: what a verifier would be told to do with a stranger's key is no help to them."""
    remedy = _SIGNER if refused.rule == "record.wrong-key" else refused.remedy
    return Reason(refused.rule, f"{refused.message.replace('nobody you trust', _NOBODY)}; {remedy}", refused.where)


def _own(work: Work) -> Iterator[Fact]:
    reading, scanned = work.results["reading"], work.results["scan"]
    yield Fact("archive.tar_sha256", Standing.REVERIFIED, found=reading["tar_sha256"], note="written anew")
    yield Fact("archive.files_sha256", Standing.REVERIFIED, found=reading["files_sha256"])
    yield Fact("scan", Standing.REVERIFIED, found="passed", note=f"rules {scanned['rules']['sha256'][:12]}")


def _signed(work: Work, exhibit: Exhibit, statements: Statements) -> Iterator[Fact]:
    """Signatures and what they bind. A record by nobody we know is compared, and marked as a claim."""
    file = work.folder / "record.intoto.jsonl"
    lines = [canonical_json(line) for line in work.claims["record"]["statements"]]
    file.write_bytes(b"".join(line + b"\n" for line in lines))
    if exhibit.trusted_keys is None:
        yield Fact("record.signature", Standing.NOT_CHECKED, note="this registry was told of no trusted keys")
        yield from _bound_by_hand(work, exhibit, statements)
        return
    trusted = public_keys(exhibit.trusted_keys)
    order = VerifyOrder(exhibit.archive, trusted, file, VerifyPolicy(require_sandbox=False))
    verified: VerifiedRelease = verify_release(order)
    yield Fact("record.signature", Standing.REVERIFIED, found=verified.signer, note="all five statements")
    for fact in verified.facts:
        ours = fact.source == "recomputed"
        standing = Standing.REVERIFIED if ours else Standing.CLAIMED
        value = clean(fact.value)[:_TEXT]
        yield Fact(
            f"record.{clean(fact.fact)[:80]}",
            standing,
            claimed=value,
            found=value if ours else None,
            note=clean(fact.source)[:80],
        )


def _bound_by_hand(work: Work, exhibit: Exhibit, statements: Statements) -> Iterator[Fact]:
    """Without keys the statements are anybody's words; that they speak of these very bytes can still be seen."""
    subject = Subject(work.name, work.version, exhibit.reading).to_json()
    for kind, signed in statements.items():
        if signed.statement.get("subject") != subject:
            raise RecordRefused("foreign-subject", f"{kind} speaks of another release", where=kind)
    yield Fact("record.subject", Standing.REVERIFIED, note="all five statements name these bytes")


def _told(work: Work, statements: Statements) -> Iterator[Fact]:
    """What the statements say, beside what we found where we looked ourselves."""
    scan, found = statements["scan"].predicate, work.results["scan"]
    told = scan.get("passed")
    passed = ("passed" if told else "failed") if isinstance(told, bool) else None
    yield compared("scan.verdict", passed, "passed")
    rules = scan.get("rules")
    digest = str(rules.get("sha256"))[:64] if isinstance(rules, dict) else None
    yield compared("scan.rules_sha256", digest, found["rules"]["sha256"], "other rules are no fault, ours decide")
    result = statements["tests"].predicate.get("result")
    yield Fact("tests", Standing.CLAIMED, claimed=clean(str(result))[:_TEXT], note="the registry ran no tests")


def _bill(packages: list[dict[str, str]], statements: Statements) -> Fact:
    """The bill of materials against the lock: every locked package must be a component, in that version."""
    listed = {(component["name"], component["version"]) for component in _components(statements)}
    wanted = ((package["name"], package["version"]) for package in packages)
    missing = sorted(f"{name} {version}" for name, version in wanted if (name, version) not in listed)
    if missing:
        return Fact("sbom", Standing.DIFFERS, f"{len(listed)} components", f"missing: {', '.join(missing[:10])}")
    if not packages:
        return Fact("sbom", Standing.CLAIMED, f"{len(listed)} components", note="the archive has no lock")
    note = "every locked package is a component"
    return Fact("sbom", Standing.REVERIFIED, f"{len(listed)} components", f"{len(packages)} locked packages", note)


def _locked(tree: Path) -> list[dict[str, str]]:
    """The packages of the archive's lock. Raises ``Refused`` for a lock that cannot be read."""
    file = tree / _LOCK
    if not file.is_file():
        return []
    try:
        if file.stat().st_size > _LOCK_LIMIT:
            raise ValueError("it is too large")
        packages = parse_toml(file.read_bytes())["packages"]
        return [
            {"name": clean(str(one["name"]))[:_TEXT], "version": clean(str(one.get("version", "")))[:_TEXT]}
            for one in packages
        ]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as reason:
        message = f"the lock cannot be read ({type(reason).__name__}); make it anew with `mixpeek plugin build`"
        raise Refused([Reason("lock.unreadable", message, _LOCK)]) from None


def _components(statements: Statements) -> list[dict[str, str]]:
    listed = statements["sbom"].predicate.get("components")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return [
        {key: clean(str(entry.get(key, "")))[:_TEXT] for key in ("name", "version", "type")}
        for entry in entries[:_LINES]
    ]


def _behaviour(statements: Statements) -> list[dict[str, str]]:
    """The checks of the publisher's sandbox run."""
    report = statements["tests"].predicate.get("mixpeek")
    checks = report.get("checks") if isinstance(report, dict) else None
    entries = [entry for entry in checks if isinstance(entry, dict)] if isinstance(checks, list) else []
    keys = ("name", "status", "detail", "source")
    return [{key: clean(str(entry.get(key, "")))[:_TEXT] for key in keys} for entry in entries[:_LINES]]
