"""A record beside the archive: compared, shown with whose word it is, refused when it is damaged or foreign."""

from __future__ import annotations

import json

import pytest

from tests.support.plugins import NAME
from tests.support.registries import embedded_only, fresh_server
from tests.support.releases import make_signed_release
from toolchain.publish.keys import KeyStore
from toolchain.publish.record.reading import record_document

pytestmark = embedded_only

PLUGIN = f"/plugins/{NAME}_1_0_0"


@pytest.fixture
def release(tmp_path):
    return make_signed_release(tmp_path / "signed")


def confirmed(publisher, release, record):
    """The verdict on the release with this record."""
    archive = release.packed.path.read_bytes()
    begun = publisher.begin(archive).json()
    assert "record" in begun["accepts"]
    assert publisher.put(begun, archive).status_code == 200
    return publisher.confirm(begun["upload_id"], record=record).json()


def standings(answer):
    return {fact["fact"]: fact["standing"] for fact in answer["facts"]}


def test_a_record_by_nobody_we_know_is_a_claim(publisher, release):
    answer = confirmed(publisher, release, record_document(release.record.read_bytes()))
    assert answer["validation_status"] == "passed", answer
    found = standings(answer)
    assert found["record.signature"] == "not checked"
    assert found["record.subject"] == "re-verified"
    assert found["scan.verdict"] == "re-verified"
    assert found["scan.rules_sha256"] == "differs"
    assert found["tests"] == "claimed"
    assert found["sbom"] == "re-verified"
    shown = publisher.client.get(PLUGIN).json()["plugin"]
    assert standings(shown) == found


def test_a_record_by_a_trusted_key_is_verified(backend, tmp_path, release):
    with fresh_server(backend, tmp_path / "data", trusted_keys=release.keys.folder) as server:
        answer = confirmed(server.publisher(), release, record_document(release.record.read_bytes()))
        assert answer["validation_status"] == "passed", answer
        found = standings(answer)
        assert found["record.signature"] == "re-verified"
        assert found["record.packages"] == "re-verified"
        assert found["record.image"] == "claimed"
        stranger = KeyStore(tmp_path / "stranger")
        stranger.generate()
        release.sign(release.payloads(), stranger)
        refused = confirmed(server.publisher(), release, record_document(release.record.read_bytes()))
        assert (refused["success"], refused["violations"][0]["rule"]) == (False, "record.wrong-key")


def test_a_record_of_another_release_is_refused(publisher, release, tmp_path):
    other = make_signed_release(tmp_path / "other")
    (tmp_path / "other" / NAME / "extra.py").write_text("X = 1\n")
    other = make_signed_release(tmp_path / "other")
    answer = confirmed(publisher, release, record_document(other.record.read_bytes()))
    if other.packed.reading.archive_sha256 == release.packed.reading.archive_sha256:
        pytest.fail("the two releases are one")
    assert answer["violations"][0]["rule"] == "record.foreign-subject"


@pytest.mark.parametrize("damage", ["dropped", "text", "number", "nested", "unsigned"])
def test_a_damaged_record_is_refused(publisher, release, damage):
    record = record_document(release.record.read_bytes())
    if damage == "dropped":
        record["statements"].pop()
    elif damage == "text":
        record["statements"][0] = "no statement"
    elif damage == "number":
        record = {"statements": 7}
    elif damage == "nested":
        record = json.loads('{"statements": ' + "[" * 50 + "]" * 50 + "}")
    else:
        record["statements"][0]["signatures"] = []
    answer = confirmed(publisher, release, record)
    assert answer["success"] is False
    assert answer["violations"][0]["rule"].startswith("record.")
