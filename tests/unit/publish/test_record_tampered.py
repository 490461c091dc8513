"""Every way of tampering with a release that we could think of is refused, and named."""

from __future__ import annotations

import base64
import json
import shutil
from datetime import datetime, timedelta, timezone

import pytest

from tests.support.plugins import make_plugin
from tests.support.releases import AT, canonical, make_signed_release, signed_payloads
from toolchain.core.errors import UsageFault
from toolchain.core.reporter import SilentReporter
from toolchain.publish.archive import ArchiveRefused
from toolchain.publish.keys import KeyStore
from toolchain.publish.packing import PackOrder, pack_plugin
from toolchain.publish.record.policy import VerifyPolicy
from toolchain.publish.record.refused import RecordRefused
from toolchain.publish.record.verify import VerifyOrder, verify_release


@pytest.fixture
def release(tmp_path):
    return make_signed_release(tmp_path)


def rule_of(release, **more):
    with pytest.raises(RecordRefused) as caught:
        release.verify(**more)
    assert caught.value.rule in str(caught.value)
    return caught.value.rule.removeprefix("record.")


def lines(release):
    return release.record.read_bytes().splitlines()


def write(release, changed):
    release.record.write_bytes(b"".join(line + b"\n" for line in changed))


def edit(release, number, change):
    """Change one line's envelope and write it in canonical form."""
    changed = lines(release)
    envelope = json.loads(changed[number])
    change(envelope)
    changed[number] = canonical(envelope)
    write(release, changed)


def test_an_honest_release_verifies(release):
    verified = release.verify()
    assert verified.signer.startswith("key own (")
    assert verified.verified_at.isoformat() == "2026-06-01T12:00:00+00:00"
    sources = {fact.fact: fact.source for fact in verified.facts}
    assert sources["archive"] == sources["tar"] == sources["pylock.cpu.toml"] == "recomputed"
    assert sources["check tests"] == "signed: claimed"
    assert sources["image"] == "signed: observed"


@pytest.mark.parametrize("dropped", range(5))
def test_a_dropped_statement(release, dropped):
    write(release, [line for number, line in enumerate(lines(release)) if number != dropped])
    assert rule_of(release) == "dropped"


@pytest.mark.parametrize("kind", ["provenance", "sbom", "scan", "tests"])
def test_a_statement_swapped_for_another_validly_signed_one(release, kind):
    """An older run of the same archive, signed by the same key: everything is valid but the binding."""

    def other(document):
        document[kind]["extra"] = "another run"

    payloads = release.payloads()
    release.sign({**payloads, kind: signed_payloads(release.packed, other)[kind]})
    assert rule_of(release) == "swapped"


def test_a_summary_of_another_run(release):
    def other(document):
        document["scan"]["extra"] = "another run"

    release.sign({**release.payloads(), "summary": signed_payloads(release.packed, other)["summary"]})
    assert rule_of(release) == "swapped"


def test_extra_statements(release):
    write(release, [*lines(release), lines(release)[0]])
    assert rule_of(release) == "extra"
    write(release, [*lines(release)[:4], lines(release)[0]])
    assert rule_of(release) == "extra"


def test_a_statement_of_an_unknown_kind(release):
    payloads = release.payloads()
    odd = json.loads(payloads["scan"])
    odd["predicateType"] = "https://example.com/whatever"
    release.sign({**payloads, "scan": canonical(odd)})
    assert rule_of(release) == "extra"


def test_a_changed_payload_under_the_old_signature(release):
    def lie(envelope):
        statement = json.loads(base64.b64decode(envelope["payload"]))
        statement["predicate"]["passed"] = True
        statement["predicate"]["findings"] = ["none, really"]
        envelope["payload"] = base64.b64encode(canonical(statement)).decode()

    edit(release, 2, lie)
    assert rule_of(release) == "bad-signature"


def test_the_signature_of_another_statement(release):
    other = json.loads(lines(release)[0])["signatures"]
    edit(release, 1, lambda envelope: envelope.update(signatures=other))
    assert rule_of(release) == "bad-signature"


def test_no_signature(release):
    edit(release, 4, lambda envelope: envelope.update(signatures=[]))
    assert rule_of(release) == "unsigned"


def test_a_key_that_nobody_trusts(release, tmp_path):
    stranger = KeyStore(tmp_path / "stranger")
    stranger.generate()
    release.sign(release.payloads(), stranger)
    assert rule_of(release) == "wrong-key"


def test_a_stranger_under_the_id_of_a_trusted_key(release, tmp_path):
    stranger = KeyStore(tmp_path / "stranger")
    stranger.generate()
    (trusted,) = release.keys.trusted()
    release.sign(release.payloads(), stranger)
    for number in range(5):
        edit(release, number, lambda envelope: envelope["signatures"][0].update(keyid=trusted))
    assert rule_of(release) == "bad-signature"


def test_two_trusted_signers_are_not_mixed(release, tmp_path):
    other = KeyStore(tmp_path / "other")
    other.generate()
    release.keys.trust(other.public_path, "colleague")
    own = lines(release)
    release.sign(release.payloads(), other)
    assert release.verify().signer.startswith("key colleague")
    write(release, [own[0], *lines(release)[1:]])
    assert rule_of(release) == "mixed-signers"


def test_a_record_of_another_release(release, tmp_path):
    plugin = make_plugin(tmp_path / "b")
    plugin.write("pylock.cpu.toml", "changed = true\n")
    other = pack_plugin(PackOrder(plugin.root, tmp_path / "b" / "out"), SilentReporter()).packed
    shutil.copy(release.record, other.path.with_name(other.path.name + ".intoto.jsonl"))
    with pytest.raises(RecordRefused) as caught:
        verify_release(VerifyOrder(other.path, release.keys.trusted()))
    assert caught.value.rule == "record.foreign-subject"


def test_a_changed_archive(release):
    data = bytearray(release.packed.path.read_bytes())
    data[9] ^= 1  # the gzip header's system: nothing inside changes
    release.packed.path.write_bytes(bytes(data))
    assert rule_of(release) == "foreign-subject"
    data[-1] ^= 1
    release.packed.path.write_bytes(bytes(data))
    with pytest.raises(ArchiveRefused):
        release.verify()


def test_duplicate_keys_in_envelope_and_payload(release):
    changed = lines(release)
    changed[0] = changed[0].replace(b'{"payload":', b'{"payload":"aGk=","payload":', 1)
    write(release, changed)
    assert rule_of(release) == "duplicate-key"


def test_duplicate_keys_in_a_signed_payload(release):
    payload = release.payloads()["scan"].replace(b'"passed":true', b'"passed":false,"passed":true')
    release.sign({**release.payloads(), "scan": payload})
    assert rule_of(release) == "duplicate-key"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda line: b" " + line,
        lambda line: json.dumps(json.loads(line), indent=1).replace("\n", " ").encode(),
        lambda line: line.replace(b"payloadType", b"payload\\u0054ype"),
    ],
    ids=["space", "pretty", "escape"],
)
def test_json_that_is_not_canonical(release, spoil):
    changed = lines(release)
    changed[3] = spoil(changed[3])
    write(release, changed)
    assert rule_of(release) == "not-canonical"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: b"[]",
        lambda _: b"null",
        lambda _: b"{}",
        lambda _: b"\xff\xfe",
        lambda line: line[:-10],
        lambda _: b"[" * 50_000,
        lambda _: b"NaN",
        lambda line: line.replace(b'"payload":"', b'"payload":"!'),
    ],
)
def test_lines_that_are_no_envelope(release, spoil):
    changed = lines(release)
    changed[1] = spoil(changed[1])
    write(release, changed)
    assert rule_of(release) == "malformed"


def test_a_truncated_record(release):
    data = release.record.read_bytes()
    release.record.write_bytes(data[:-1])
    assert rule_of(release) == "truncated"
    release.record.write_bytes(b"")
    assert rule_of(release) == "truncated"


def test_a_huge_record(release):
    with release.record.open("ab") as stream:
        stream.truncate(40 << 20)
    assert rule_of(release) == "too-large"


def test_no_record_at_all(release):
    release.record.unlink()
    with pytest.raises(UsageFault, match="record"):
        release.verify()


def test_a_lock_that_is_not_the_archives(tmp_path):
    def lie(document):
        document["provenance"]["buildDefinition"]["resolvedDependencies"][0]["digest"]["sha256"] = "e" * 64

    assert rule_of(make_signed_release(tmp_path, lie)) == "lock-differs"


def test_an_sbom_that_hides_a_package(tmp_path):
    def lie(document):
        document["sbom"]["components"] = []

    assert rule_of(make_signed_release(tmp_path, lie)) == "sbom-differs"


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [("scan", "passed", False), ("tests", "result", "FAILED"), ("tests", "failedTests", ["one"])],
)
def test_a_verdict_that_is_none(tmp_path, kind, field, value):
    def fail(document):
        document[kind][field] = value

    assert rule_of(make_signed_release(tmp_path, fail)) == "not-passed"


def test_tests_outside_the_sandbox(tmp_path):
    def outside(document):
        document["tests"]["mixpeek"]["mode"] = "process"

    release = make_signed_release(tmp_path, outside)
    assert rule_of(release) == "policy"
    assert release.verify(policy=VerifyPolicy(require_sandbox=False))


def test_a_scan_of_other_files(tmp_path):
    def other(document):
        document["scan"]["files_sha256"] = "e" * 64

    assert rule_of(make_signed_release(tmp_path, other)) == "foreign-subject"


@pytest.mark.parametrize(
    "policy",
    [
        VerifyPolicy(require_strict_scan=True),
        VerifyPolicy(scan_rules=("e" * 64,)),
        VerifyPolicy(sandbox_policies=("e" * 64,)),
        VerifyPolicy(forbidden_packages=("numpy",)),
    ],
)
def test_what_a_policy_asks(release, policy):
    assert rule_of(release, policy=policy) == "policy"


@pytest.mark.parametrize(("listed", "forbidden"), [("PyYAML", "pyyaml"), ("ruamel_yaml", "Ruamel.YAML")])
def test_a_forbidden_package_under_any_spelling_of_its_name(tmp_path, listed, forbidden):
    def bring(document):
        document["sbom"]["components"].append({"name": listed})

    release = make_signed_release(tmp_path, bring)
    assert rule_of(release, policy=VerifyPolicy(forbidden_packages=(forbidden,))) == "policy"


@pytest.mark.parametrize(
    ("kind", "field", "value", "rule"),
    [("sbom", "components", [7], "malformed"), ("tests", "configuration", 7, "policy")],
)
def test_lists_that_are_none_satisfy_no_policy(tmp_path, kind, field, value, rule):
    def spoil(document):
        old = document[kind][field]
        document[kind][field] = [*old, *value] if isinstance(value, list) else value

    policy = VerifyPolicy(forbidden_packages=("left-pad",), sandbox_policies=("d" * 64,))
    assert rule_of(make_signed_release(tmp_path, spoil), policy=policy) == rule


def test_a_policy_that_names_another_signer(release):
    assert rule_of(release, policy=VerifyPolicy(signers=("colleague",))) == "wrong-key"
    assert release.verify(policy=VerifyPolicy(signers=("own",)))


def test_a_policy_that_is_met(release):
    policy = VerifyPolicy(scan_rules=("c" * 64,), sandbox_policies=("d" * 64,), max_age_days=10**6)
    assert release.verify(policy=policy)


def test_stale_and_future_verdicts(release):
    at = datetime.fromisoformat(AT.replace("Z", "+00:00"))
    order = VerifyOrder(release.packed.path, release.keys.trusted(), policy=VerifyPolicy(max_age_days=30))
    verify_release(order, at + timedelta(days=29))
    for now in (at + timedelta(days=31), at - timedelta(hours=1)):
        with pytest.raises(RecordRefused) as caught:
            verify_release(order, now)
        assert caught.value.rule == "record.stale"


@pytest.mark.parametrize("at", ["yesterday", "", "2026-06-01T12:00:00"])
def test_a_time_that_is_none(tmp_path, at):
    def spoil(document):
        document["options"]["at"] = at

    assert rule_of(make_signed_release(tmp_path, spoil)) == "malformed"


def test_a_summary_of_another_plugin(release):
    summary = json.loads(release.payloads()["summary"])
    summary["predicate"]["resourceUri"] = "mixpeek://other@1.0.0"
    release.sign({**release.payloads(), "summary": canonical(summary)})
    assert rule_of(release) == "foreign-subject"


def test_an_archive_that_is_not_canonical_is_not_verified(release, tmp_path):
    import gzip
    import io
    import tarfile

    stream = io.BytesIO()
    with tarfile.open(release.packed.path) as old, tarfile.open(fileobj=stream, mode="w") as new:
        for member in reversed(old.getmembers()):
            new.addfile(member, old.extractfile(member))
    release.packed.path.write_bytes(gzip.compress(stream.getvalue()))
    assert rule_of(release) == "not-canonical"


def test_now_is_now(release):
    assert verify_release(VerifyOrder(release.packed.path, release.keys.trusted()), datetime.now(timezone.utc))
