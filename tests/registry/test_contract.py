"""The seven endpoints in the published shapes, as a client that knows only these sees them."""

from __future__ import annotations

import hashlib

import httpx
import pytest

from registry.access import Role
from tests.support.plugins import NAME
from tests.support.registries import fresh_server, plugin_archive

PLUGIN_ID = f"{NAME}_1_0_0"


def test_a_plugin_goes_all_the_way(publisher, archive):
    begun = publisher.begin(archive, description="Counts letters.", presigned_url_expiration=600).json()
    assert begun["upload_id"].startswith("plu_")
    assert begun["namespace_id"] == publisher.namespace
    assert (begun["name"], begun["version"]) == (NAME, "1.0.0")
    assert {"presigned_url", "s3_key", "expires_at"} <= begun.keys()
    assert publisher.put(begun, archive).status_code == 200
    confirmed = publisher.confirm(begun["upload_id"], file_size_bytes=len(archive)).json()
    assert confirmed["success"] is True
    assert confirmed["plugin_id"] == PLUGIN_ID
    assert confirmed["validation_status"] == "passed"
    assert confirmed["validation_errors"] == []
    assert confirmed["deployment_status"] == "not_deployed"
    assert confirmed["feature_uri"] == f"mixpeek://{NAME}@1.0.0"
    listed = publisher.client.get("/plugins").json()
    assert (listed["success"], listed["total"], listed["namespace_id"]) == (True, 1, publisher.namespace)
    item = listed["plugins"][0]
    assert (item["plugin_id"], item["description"], item["deployed"]) == (PLUGIN_ID, "Counts letters.", False)
    shown = publisher.client.get(f"/plugins/{PLUGIN_ID}").json()["plugin"]
    assert shown["security_scan_passed"] is True
    assert shown["manifest"]["features"][0]["embedding_dim"] == 2
    assert len(shown["code_hash"]) == 64
    assert shown["archive_sha256"] == hashlib.sha256(archive).hexdigest()


def test_documented_fields_alone_suffice(publisher, archive):
    """No checksum, no length, no headers but the content type: what the platform's own client sends."""
    begun = publisher.begin(description="d").json()
    kind = {"Content-Type": "application/gzip"}
    sent = httpx.put(begun["presigned_url"], content=archive, headers=kind, timeout=60)
    assert sent.status_code == 200, sent.text
    assert publisher.confirm(begun["upload_id"]).json()["validation_status"] == "passed"


def test_deleting_leaves_a_tombstone(publisher, archive):
    publisher.publish(archive)
    deleted = publisher.client.delete(f"/plugins/{PLUGIN_ID}").json()
    assert (deleted["plugin_id"], deleted["deployment_removed"]) == (PLUGIN_ID, False)
    assert publisher.client.get(f"/plugins/{PLUGIN_ID}").status_code == 404
    assert publisher.client.get("/plugins").json()["total"] == 0
    again = publisher.begin(archive)
    assert again.status_code == 409
    error = again.json()["error"]
    assert (error["type"], "never published twice" in error["message"]) == ("version_deleted", True)


def test_a_version_is_published_once(publisher, archive):
    publisher.publish(archive)
    refused = publisher.begin(archive)
    assert refused.status_code == 409
    error = refused.json()["error"]
    assert error["type"] == "version_exists"
    assert error["details"]["archive_sha256"] == hashlib.sha256(archive).hexdigest()
    assert refused.json()["success"] is False


def test_without_a_version_the_patch_is_raised(publisher, archive):
    assert publisher.begin(version=None).json()["version"] == "0.0.1"
    publisher.publish(archive)
    assert publisher.begin(version=None).json()["version"] == "1.0.1"


@pytest.mark.parametrize(("written", "normal"), [("v1", "1.0.0"), ("1.2", "1.2.0"), ("v2.1", "2.1.0")])
def test_versions_are_normalised(publisher, written, normal):
    assert publisher.begin(version=written).json()["version"] == normal


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "with-hyphen"},
        {"name": "ab"},
        {"name": "json"},
        {"version": "one"},
        {"description": "x" * 501},
        {"description": "bell \x07"},
        {"presigned_url_expiration": 59},
        {"presigned_url_expiration": 86_401},
        {"file_size_bytes": 0},
        {"checksum_sha256": "abc"},
    ],
    ids=str,
)
def test_bad_announcements_are_refused_in_the_envelope(publisher, fields):
    answer = publisher.begin(**fields)
    assert answer.status_code in {400, 422}
    body = answer.json()
    assert body["success"] is False
    assert body["status"] == answer.status_code
    assert body["error"].keys() == {"message", "type", "details"}


def test_too_large_an_archive_is_refused_before_it_is_sent(publisher):
    answer = publisher.begin(file_size_bytes=(500 << 20) + 1)
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "too_large")


def test_confirming_before_uploading_says_so_and_loses_nothing(publisher, archive):
    begun = publisher.begin(archive).json()
    early = publisher.confirm(begun["upload_id"])
    assert (early.status_code, early.json()["error"]["type"]) == (404, "object_missing")
    publisher.put(begun, archive)
    assert publisher.confirm(begun["upload_id"]).json()["validation_status"] == "passed"


def test_confirming_again_tells_the_same(publisher, archive):
    begun = publisher.begin(archive).json()
    publisher.put(begun, archive)
    first = publisher.confirm(begun["upload_id"]).json()
    assert publisher.confirm(begun["upload_id"]).json() == first


def test_an_idempotency_key_gets_the_same_answer(publisher, archive):
    headers = {"Idempotency-Key": "run-17"}
    body = {"name": NAME, "version": "1.0.0"}
    first, second = (publisher.client.post("/plugins/uploads", json=body, headers=headers) for _ in range(2))
    assert first.json() == second.json()
    other = publisher.client.post("/plugins/uploads", json=body | {"version": "1.0.1"}, headers=headers)
    assert (other.status_code, other.json()["error"]["type"]) == (422, "idempotency_key_reused")


def test_an_idempotency_key_does_not_bring_back_a_refused_upload(publisher, tmp_path):
    archive = plugin_archive(tmp_path, helper="import os\n\n\nos.system('true')\n")
    headers = {"Idempotency-Key": "run-18"}
    body = {"name": NAME, "version": "1.0.0"}
    first = publisher.client.post("/plugins/uploads", json=body, headers=headers).json()
    publisher.put(first, archive)
    assert publisher.confirm(first["upload_id"]).json()["validation_status"] == "failed"
    second = publisher.client.post("/plugins/uploads", json=body, headers=headers).json()
    assert second["upload_id"] != first["upload_id"]


def test_forbidden_code_is_refused_with_file_and_line(publisher, tmp_path):
    archive = plugin_archive(tmp_path, helper="import os\n\n\nos.system('true')\n")
    answer = publisher.publish(archive)
    assert (answer["success"], answer["validation_status"], answer["plugin_id"]) == (False, "failed", None)
    violation = next(entry for entry in answer["violations"] if entry["file"] == "helper.py")
    assert violation["line"] == 4
    assert any(text.startswith("helper.py:4: ") for text in answer["validation_errors"])
    assert publisher.client.get("/plugins").json()["total"] == 0


def test_the_manifest_must_say_what_was_announced(publisher, tmp_path):
    answer = publisher.publish(plugin_archive(tmp_path, version="1.0.1"))
    assert answer["validation_status"] == "failed"
    assert answer["violations"][0]["rule"] == "manifest.version"
    assert answer["violations"][0]["file"] == "manifest.py"


def test_pages_hold_everything_once(server, publisher, tmp_path):
    versions = [f"1.0.{number}" for number in range(5)]
    for version in versions:
        publisher.publish(plugin_archive(tmp_path, version), version=version)
    seen, cursor = [], None
    for _ in versions:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = publisher.client.get("/plugins", params=query).json()
        assert page["total"] == 5
        seen += [item["version"] for item in page["plugins"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == versions[::-1]
    assert publisher.client.get("/plugins", params={"cursor": "none of yours"}).status_code == 400


def test_quotas_and_rates_are_kept(backend, tmp_path, archive):
    from registry.access.quotas import set_quota
    from registry.settings import Limits

    with fresh_server(backend, tmp_path / "data", Limits(plugins=1, requests_per_minute=60, burst=8)) as server:
        publisher = server.publisher("ns_small")
        publisher.publish(archive)
        refused = publisher.begin(version="1.0.1")
        assert (refused.status_code, refused.json()["error"]["type"]) == (403, "quota_exceeded")
        set_quota(server.registry.database, "ns_small", 2)
        assert publisher.begin(version="1.0.1").status_code == 200
        answers = [publisher.client.get("/plugins") for _ in range(12)]
        late = next(answer for answer in answers if answer.status_code == 429)
        assert int(late.headers["Retry-After"]) >= 1
        assert late.json()["error"]["type"] == "rate_limited"
        assert server.publisher("ns_other").client.get("/plugins").status_code == 200


def test_a_reviewer_decides_and_everybody_reads_it(server, publisher, archive):
    publisher.publish(archive)
    reviewer = server.publisher(publisher.namespace, Role.REVIEWER)
    decision = {"verdict": "approve", "reason": "read every line"}
    answer = reviewer.client.post(f"/plugins/{PLUGIN_ID}/decisions", json=decision)
    assert answer.json()["review_status"] == "approved"
    shown = publisher.client.get(f"/plugins/{PLUGIN_ID}").json()["plugin"]
    assert shown["review_status"] == "approved"
    assert [(d["verdict"], d["reason"]) for d in shown["decisions"]] == [("approved", "read every line")]
    assert publisher.client.get("/plugins").json()["plugins"][0]["deployment_status"] == "NOT_DEPLOYED"
    quarantine = {"verdict": "quarantine", "reason": "it calls home"}
    reviewer.client.post(f"/plugins/{PLUGIN_ID}/decisions", json=quarantine)
    refused = publisher.client.post(f"/plugins/{PLUGIN_ID}/deploy").json()["error"]
    assert refused["type"] == "release_stopped"
    assert refused["message"] == "a reviewer has quarantined this release: it calls home"
    status = publisher.client.get(f"/plugins/{PLUGIN_ID}/status").json()
    assert (status["error"], status["review_status"]) == (refused["message"], "quarantined")
    extractor = {"feature_extractor_name": NAME, "version": "1.0.0"}
    source = {"type": "bucket", "bucket_ids": ["bkt_a"]}
    order = {"collection_name": "a", "source": source, "feature_extractor": extractor}
    assert publisher.client.post("/collections", json=order).json()["error"] == refused
    silent = reviewer.client.post(f"/plugins/{PLUGIN_ID}/decisions", json=decision | {"reason": " "})
    assert silent.status_code == 400


def test_what_waits_for_an_approval_is_listed_as_such(backend, tmp_path, archive):
    with fresh_server(backend, tmp_path / "data", require_approval=True) as server:
        publisher = server.publisher()
        publisher.publish(archive)

        def waits():
            (listed,) = publisher.client.get("/plugins").json()["plugins"]
            shown = publisher.client.get(f"/plugins/{PLUGIN_ID}").json()["plugin"]
            return listed["awaits_approval"], shown["awaits_approval"], listed["deployment_status"]

        assert waits() == (False, False, "NOT_DEPLOYED")
        publisher.client.post(f"/plugins/{PLUGIN_ID}/deploy")
        assert waits() == (True, True, "QUEUED")
        reviewer = server.publisher(publisher.namespace, Role.REVIEWER)
        quarantine = {"verdict": "quarantine", "reason": "it calls home"}
        reviewer.client.post(f"/plugins/{PLUGIN_ID}/decisions", json=quarantine)
        assert waits() == (False, False, "NOT_DEPLOYED")
