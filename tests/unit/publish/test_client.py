"""The client's other calls, its patience, and what it takes for an answer."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from tests.support.platforms import KEY, NAMESPACE, platform_server
from toolchain.core.errors import UsageFault
from toolchain.publish.client.errors import (
    AlreadyThere,
    AnswerMalformed,
    DeploymentRefused,
    NotThere,
    QuotaReached,
    ServerUnavailable,
)
from toolchain.publish.client.models import DeploymentStatus, Plugin
from toolchain.publish.client.platform import NewUpload, Platform, remedy_for
from toolchain.publish.client.refusals import Reason, reasons_in
from toolchain.publish.client.retry import Attempts, Retry, seconds_of
from toolchain.publish.client.transport import Connection, Transport, checked_base, redacted
from toolchain.publish.client.upload import signed_headers


@pytest.fixture
def server():
    with platform_server() as running:
        yield running


@pytest.fixture
def naps():
    return []


@pytest.fixture
def platform(server, naps):
    with Transport(Connection(server.url + "/", KEY, read_seconds=30), naps.append) as transport:
        yield Platform(transport, NAMESPACE)


def put(server, *names):
    for name in names:
        server.plugins[f"{name}_1_0_0"] = {"plugin_id": f"{name}_1_0_0", "name": name, "version": "1.0.0"}


def test_every_page_of_a_list_is_read_once(server, platform):
    put(server, *(f"p{number:03}" for number in range(250)))
    assert len(platform.plugins()) == 250
    assert len(server.calls("GET", "/plugins")) == 3


def test_built_in_extractors_have_their_source(platform):
    (extractor,) = platform.extractors()
    assert (extractor.plugin_id, extractor.name, extractor.source) == ("text_v1", "text", "builtin")


def test_show_delete_deploy_status(server, platform):
    put(server, "one")
    assert platform.plugin("one_1_0_0").name == "one"
    assert platform.deploy("one_1_0_0").status == "queued"
    assert platform.status("one_1_0_0").status == "queued"
    assert platform.delete("one_1_0_0").deployment_removed
    with pytest.raises(NotThere, match="mixpeek plugin list") as caught:
        platform.plugin("one_1_0_0")
    assert "plugin deploy" not in caught.value.remedy
    server.faults["status"] = [(404, {}, {})]
    with pytest.raises(NotThere, match="ask again") as caught:
        platform.status("one_1_0_0")
    assert "--wait" not in caught.value.remedy
    assert "`mixpeek plugin list`" in caught.value.remedy
    assert "//v1" not in caught.value.where


def test_a_deployment_that_the_server_refuses_is_no_taken_version(server, platform):
    put(server, "one")
    told = {"error": {"message": "a reviewer has quarantined this release: it calls home"}}
    server.faults["deploy"] = [(409, {}, told)]
    with pytest.raises(DeploymentRefused, match="it calls home") as caught:
        platform.deploy("one_1_0_0")
    assert (caught.value.id, caught.value.exit_code) == ("deployment-refused", 1)
    assert "is there already" not in str(caught.value)


def envelope(kind, message="no"):
    return {"success": False, "status": 409, "error": {"message": message, "type": kind, "details": {}}}


NEW = NewUpload("one", "1.0.0", "", 1, "0" * 64)


def test_what_a_refusal_means_is_read_from_its_type(server, platform):
    server.faults["begin"] = [(409, {}, envelope("version_deleted"))]
    with pytest.raises(AlreadyThere, match="published before, and deleted") as caught:
        platform.begin_upload(NEW)
    assert "pyproject.toml" in caught.value.remedy
    server.faults["begin"] = [(403, {}, envelope("quota_exceeded"))]
    with pytest.raises(QuotaReached):
        platform.begin_upload(NEW)
    put(server, "one")
    server.faults["deploy"] = [(409, {}, envelope("release_stopped", "it calls home"))]
    with pytest.raises(DeploymentRefused, match="a reviewer has stopped this release\n  it calls home"):
        platform.deploy("one_1_0_0")
    server.faults["collections"] = [
        (409, {}, envelope("collection_exists")),
        (409, {}, envelope("release_stopped")),
    ]
    with pytest.raises(AlreadyThere, match="choose another name"):
        platform.collections.create(**CREATE)
    with pytest.raises(DeploymentRefused, match="stopped"):
        platform.collections.create(**CREATE)


def test_what_a_refusal_means_is_not_read_from_its_sentence(server, platform):
    server.faults["begin"] = [(409, {}, envelope("x", "one_1_0_0 exists; the deleted one was another"))]
    with pytest.raises(AlreadyThere, match="is there already"):
        platform.begin_upload(NEW)


@pytest.mark.parametrize(
    ("violation", "remedy"),
    [
        ({"rule": "record.wrong-key", "message": "no"}, "give your signing.pub"),
        ({"rule": "scan.call.eval", "message": "no"}, "mixpeek plugin scan"),
        ({"rule": "release.version_exists", "message": "no"}, "raise the version"),
        ({"rule": "release.quota_exceeded", "message": "no"}, "larger quota"),
        ({"rule": "manifest.name", "message": "signing.pub [record.wrong-key]"}, "check that manifest.py"),
        ({"rule": {}, "message": "Forbidden import: socket"}, "mixpeek plugin scan"),
        ({"message": "Import error: no module named x"}, "__init__.py"),
    ],
)
def test_the_next_step_after_a_judgement_is_of_its_rule(server, platform, violation, remedy):
    told = {"success": False, "violations": [violation], "validation_errors": [violation["message"]], "reasons": 3}
    server.faults["confirm"] = [(200, {}, told)]
    judged = platform.confirm("plu_1", {})
    assert remedy in remedy_for(judged.reasons)
    assert (len(judged.reasons), "reasons" in judged.model_dump()) == (1, False)
    server.faults["confirm"] = [(200, {}, {"reasons": 3})]
    assert platform.confirm("plu_1", {}).reasons == ()


@pytest.mark.parametrize("namespace", ["bad ns", "../x", "a/b", "ns\n"])
def test_a_namespace_that_cannot_be_one_is_known_before_any_call(platform, namespace):
    with pytest.raises(UsageFault, match="cannot be a namespace"):
        Platform(platform.transport, namespace)


UNFIT = ["..", ".", "", "a/../b", "x?x=1#y", "x y", "--yes", "x;rm", "$(id)", "x`id`", "x\n", "\u0445", "x" * 201]


@pytest.mark.parametrize("name", UNFIT)
def test_an_id_cannot_leave_its_place_in_the_path(server, platform, name):
    for call in (platform.plugin, platform.delete, platform.deploy, platform.status, platform.collections.get):
        with pytest.raises(UsageFault, match="cannot be an id"):
            call(name)
    with pytest.raises(UsageFault, match="cannot be an id"):
        platform.confirm(name, {})
    assert server.seen == []


@pytest.mark.parametrize("name", UNFIT)
def test_an_id_of_a_server_that_would_be_shell_text_is_refused(server, platform, name):
    server.plugins["one"] = {"plugin_id": name}
    for call in (lambda: platform.plugin("one"), platform.plugins, lambda: platform.delete("one")):
        with pytest.raises(AnswerMalformed, match="plugin_id: an id is of letters, digits"):
            call()
    server.begin_answer = {"upload_id": name}
    with pytest.raises(AnswerMalformed, match="upload_id: an id is of letters"):
        platform.begin_upload(NewUpload("one", "1.0.0", "", 1, "0" * 64))


def test_ids_of_every_documented_form_are_taken(server, platform):
    server.plugins["one"] = {"plugin_id": "My-ext.v2_1_0_0"}
    assert platform.plugin("one").plugin_id == "My-ext.v2_1_0_0"


def test_retry_after_is_honoured(server, platform, naps):
    put(server, "one")
    server.faults["get"] = [(429, {"Retry-After": "7"}, {}), (503, {"Retry-After": "3"}, {})]
    assert platform.plugin("one_1_0_0").name == "one"
    assert naps == [7.0, 3.0]


def test_a_wait_that_is_too_long_is_not_waited_for(server, platform, naps):
    server.faults["get"] = [(503, {"Retry-After": "3600"}, {})]
    with pytest.raises(ServerUnavailable):
        platform.plugin("one_1_0_0")
    assert naps == []


def test_waits_grow_and_end(naps):
    attempts = Attempts(Retry(), naps.append, repeat=True)
    while attempts.again(500, None):
        pass
    assert attempts.made == 5
    assert all(0.25 * 2**n <= nap <= 0.5 * 2**n for n, nap in enumerate(naps))


def test_what_may_have_been_done_is_not_done_again(naps):
    once = Attempts(Retry(), naps.append, repeat=False)
    assert not once.again(500, None)
    assert not once.again_after(TimeoutError())
    assert once.again(503, None)


@pytest.mark.parametrize(
    ("text", "seconds"), [("5", 5.0), ("0.5", 0.5), ("-3", 0.0), ("soon", None), (None, None), ("", None)]
)
def test_numbers_in_retry_after(text, seconds):
    assert seconds_of(text) == seconds


def test_dates_in_retry_after():
    assert 50 < seconds_of(formatdate(time.time() + 60, usegmt=True)) <= 60


def test_a_server_that_is_not_there(naps):
    with (
        Transport(Connection("http://127.0.0.1:9", KEY), naps.append) as transport,
        pytest.raises(ServerUnavailable, match="5 attempts"),
    ):
        Platform(transport, NAMESPACE).plugins()


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "ftp://api.example.com",
        "api.example.com",
        "https://user:password@api.example.com",
        "https://api.example.com?x=1",
        "https://api.example.com:99999",
        "https://[",
        "",
    ],
)
def test_addresses_that_would_expose_the_key(url):
    with pytest.raises(UsageFault) as caught:
        checked_base(url)
    assert "password" not in str(caught.value)


def test_addresses_that_are_well():
    assert checked_base("https://api.example.com/") == "https://api.example.com"
    assert checked_base("http://localhost:8000") == "http://localhost:8000"
    assert redacted("https://u:p@h:1/a?X-Amz-Signature=s") == "https://h:1/a?***"


@pytest.mark.parametrize(("namespace", "key"), [("", KEY), (NAMESPACE, None)])
def test_what_a_call_lacks_is_named_before_it_is_made(namespace, key):
    with Transport(Connection("http://localhost:9", key)) as transport, pytest.raises(UsageFault):
        Platform(transport, namespace)


def test_signed_headers_of_a_url():
    url = "https://s3/x?X-Amz-SignedHeaders=content-length%3Bhost%3BIf-None-Match&X-Amz-Date=1"
    assert signed_headers(url) == {"content-length", "host", "if-none-match"}
    assert signed_headers("https://other/x?token=1") == frozenset()


def test_words_in_any_case_and_fields_that_are_unknown():
    status = DeploymentStatus.model_validate({"status": "DEPLOYED", "new_field": 1})
    assert (status.status, status.ended, status.model_dump()["new_field"]) == ("deployed", True, 1)
    assert Plugin.model_validate({"id": "x", "version": None}).plugin_id == "x"


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"detail": "no"}, ["no"]),
        ({"error": {"message": "no", "type": "x", "details": {"fields": {"name": "bad"}}}}, ["no"]),
        ({"detail": [{"loc": ["body", "name"], "msg": "bad", "type": "x"}]}, ["body.name: bad"]),
        ({"security_violations": [{"filename": "a.py", "line": 1, "message": "m"}]}, ["a.py:1: m"]),
        (
            {"violations": [{"file": "a.py", "line": 1, "column": 2, "message": "m", "severity": "e"}]},
            ["a.py:1:2: m (e)"],
        ),
        ({"validation_errors": ["one", "two", "one"]}, ["one", "two"]),
        ("just text", ["just text"]),
        ({"message": None, "error": ""}, []),
        (None, []),
        (3, []),
        ([[[["x"]]]], ["x"]),
    ],
)
def test_reasons_in_every_shape(body, told):
    assert [str(reason) for reason in reasons_in(body)] == told


def test_reasons_are_bounded():
    assert len(reasons_in({"validation_errors": [str(n) for n in range(10_000)]})) == 200
    assert len(reasons_in("x" * 100_000)[0].message) == 500
    deep = {"error": {}}
    for _ in range(100):
        deep = {"error": deep}
    assert reasons_in(deep) == []


def test_a_reason_shows_what_is_known():
    assert str(Reason("m")) == "m"
    assert Reason("m", "f", 1).to_json()["line"] == 1


CREATE = {
    "collection_name": "c",
    "source": {"type": "bucket", "bucket_ids": ["bkt_1"]},
    "feature_extractor": {"feature_extractor_name": "one", "version": "1.0.0"},
}


def test_a_collection_of_a_namespace(server, platform):
    server.collections = [{"text": str(number)} for number in range(1200)]
    collection = platform.collections.create(**CREATE)
    assert (collection.collection_id, platform.collections.get("col_1").status) == ("col_1", "completed")
    assert len(list(platform.collections.documents("col_1"))) == 1200
    assert [seen.path for seen in server.calls("POST")] == [f"/v1/namespaces/{NAMESPACE}/collections"]


def test_a_collection_of_a_platform_that_knows_them_by_header_only(server, platform):
    assert platform.collections.create(**CREATE).collection_id == "col_1"
    last = server.calls("POST")[-1]
    assert (last.path, last.headers["X-Namespace"]) == ("/v1/collections", NAMESPACE)
