"""The client against our own registry: the whole way, over HTTP, with the record."""

from __future__ import annotations

import json

import pytest

from registry.access import Role
from tests.support.platforms import KEY
from tests.support.registries import Backend, fresh_server
from tests.support.releases import make_signed_release
from tests.support.verdicts import parse_envelope
from toolchain.cli import main as cli
from toolchain.core.errors import MixpeekError
from toolchain.core.reporter import SilentReporter
from toolchain.publish.client.errors import AlreadyThere, KeyRefused, PluginRefused
from toolchain.publish.client.platform import Platform
from toolchain.publish.client.transport import Connection, Transport
from toolchain.publish.journal import Journal
from toolchain.publish.keys import KeyStore
from toolchain.publish.publishing import Publisher, PublishOrder, Waiting


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with fresh_server(Backend("embedded"), tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def somebody(server):
    return server.publisher()


def publish(somebody, release, tmp_path, key=None):
    with Transport(Connection(somebody.url, key or somebody.key)) as transport:
        publisher = Publisher(
            Platform(transport, somebody.namespace), Journal(tmp_path / "journal"), SilentReporter(), Waiting(60)
        )
        return publisher.publish(PublishOrder(release.packed, release.record, "A plugin.", deploy=False))


def test_a_release_is_published_once_with_its_record(somebody, tmp_path):
    release = make_signed_release(tmp_path)
    published = publish(somebody, release, tmp_path)
    assert published.record_sent
    assert published.confirmation.validation_status == "passed"
    assert published.confirmation.facts, "the registry tells what it found itself"
    assert publish(somebody, release, tmp_path / "elsewhere").was_there


def test_the_commands_speak_to_it(somebody, tmp_path, capsys, monkeypatch):
    release = make_signed_release(tmp_path)
    plugin = publish(somebody, release, tmp_path).plugin_id
    monkeypatch.setenv("MIXPEEK_API_KEY", somebody.key)
    monkeypatch.setenv("MIXPEEK_BASE_URL", somebody.url)
    monkeypatch.setenv("MIXPEEK_NAMESPACE", somebody.namespace)

    def run(*arguments):
        capsys.readouterr()
        code = cli.run([*arguments, "--json"])
        return code, parse_envelope(capsys.readouterr().out).envelope

    code, listed = run("plugin", "list", "--source", "custom")
    assert (code, [found["plugin_id"] for found in listed["data"]["plugins"]]) == (0, [plugin])
    code, shown = run("plugin", "show", plugin)
    assert (code, shown["data"]["plugin"]["archive_sha256"]) == (0, release.packed.reading.archive_sha256)
    assert shown["data"]["plugin"]["facts"]
    code, refused = run("plugin", "delete", plugin)
    assert (code, refused["error"]["id"]) == (2, "usage")
    code, _ = run("plugin", "delete", plugin, "--yes")
    assert code == 0
    code, gone = run("plugin", "show", plugin)
    assert (code, gone["error"]["id"]) == (2, "not-found")
    assert somebody.key not in json.dumps([listed, shown, refused, gone])


def test_what_a_reviewer_stopped_is_told_as_that(server, somebody, tmp_path, capsys, monkeypatch):
    plugin = publish(somebody, make_signed_release(tmp_path), tmp_path).plugin_id
    reviewer = server.publisher(somebody.namespace, Role.REVIEWER)
    decision = {"verdict": "quarantine", "reason": "it calls home"}
    reviewer.client.post(f"/plugins/{plugin}/decisions", json=decision)
    monkeypatch.setenv("MIXPEEK_API_KEY", somebody.key)
    monkeypatch.setenv("MIXPEEK_BASE_URL", somebody.url)
    monkeypatch.setenv("MIXPEEK_NAMESPACE", somebody.namespace)

    def run(*arguments):
        capsys.readouterr()
        return cli.run(["plugin", *arguments]), "".join(capsys.readouterr())

    code, told = run("deploy", plugin)
    assert (code, "a reviewer has quarantined this release: it calls home" in told) == (1, True)
    assert "is there already" not in told
    assert "plugin deploy" not in told
    code, told = run("status", plugin, "--wait")
    assert (code, "not deployed: a reviewer has quarantined" in told) == (1, True)
    assert ("plugin deploy" in told, "raise the version and publish again" in told) == (False, True)
    code, told = run("show", plugin)
    assert (code, "review         quarantined" in told, "it calls home" in told) == (0, True, True)
    code, told = run("list", "--source", "custom")
    assert (code, "quarantined" in told, "not_deployed" in told, "passed" in told) == (0, True, True, False)
    assert "built-in" not in run("list")[1]
    assert "no built-in extractors" in run("list", "--source", "builtin")[1]


def test_a_deleted_version_is_told_as_that(server, somebody, tmp_path):
    release = make_signed_release(tmp_path)
    plugin = publish(somebody, release, tmp_path).plugin_id
    somebody.client.delete(f"/plugins/{plugin}")
    with pytest.raises(AlreadyThere, match="and deleted"):
        publish(somebody, release, tmp_path)


def test_another_release_of_the_same_version_is_refused(somebody, tmp_path):
    publish(somebody, make_signed_release(tmp_path / "a"), tmp_path)

    other = make_signed_release(tmp_path / "b")
    (tmp_path / "b" / "spoiled_plugin" / "notes.txt").write_text("changed")
    other = make_signed_release(tmp_path / "b")
    with pytest.raises(AlreadyThere):
        publish(somebody, other, tmp_path / "there")


def test_a_plugin_that_the_registry_refuses_is_told_why(somebody, tmp_path):
    (tmp_path / "p").mkdir()
    release = make_signed_release(tmp_path / "p")
    (tmp_path / "p" / "spoiled_plugin" / "evil.py").write_text("import subprocess\nsubprocess.run(['id'])\n")
    release = make_signed_release(tmp_path / "p")
    with pytest.raises(PluginRefused, match="subprocess") as caught:
        publish(somebody, release, tmp_path)
    assert "evil.py:" in str(caught.value)


def test_a_wrong_key(somebody, tmp_path):
    with pytest.raises(KeyRefused) as caught:
        publish(somebody, make_signed_release(tmp_path), tmp_path, key=KEY)
    assert isinstance(caught.value, MixpeekError)


def test_a_refused_signature_is_told_to_the_operator_and_judged_anew(tmp_path):
    release = make_signed_release(tmp_path)
    (trusted := tmp_path / "trusted").mkdir()
    stranger = KeyStore(tmp_path / "stranger")
    stranger.generate()
    (trusted / "stranger.pub").write_bytes(stranger.public_path.read_bytes())
    with fresh_server(Backend("embedded"), tmp_path / "data", trusted_keys=trusted) as strict:
        somebody = strict.publisher()
        for _ in range(2):
            with pytest.raises(PluginRefused, match=r"signing\.pub") as caught:
                publish(somebody, release, tmp_path)
            assert "manifest.py" not in str(caught.value)
        (trusted / "publisher.pub").write_bytes(release.keys.public_path.read_bytes())
        published = publish(somebody, release, tmp_path)
        assert (published.was_there, published.confirmation.validation_status) == (False, "passed")


def test_another_signature_is_another_upload(tmp_path):
    release = make_signed_release(tmp_path)
    stranger = KeyStore(tmp_path / "stranger")
    stranger.generate()
    with fresh_server(Backend("embedded"), tmp_path / "data", trusted_keys=release.keys.folder) as strict:
        somebody = strict.publisher()
        payloads = release.payloads()
        release.sign(payloads, stranger)
        with pytest.raises(PluginRefused):
            publish(somebody, release, tmp_path)
        release.sign(payloads)
        assert not publish(somebody, release, tmp_path).was_there
