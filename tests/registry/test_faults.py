"""What may break, breaks: and no release is lost, none is half, none is there twice."""

from __future__ import annotations

import json
import os
import random
import resource
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import update

from registry.database.models import Upload, now
from registry.log import newest, verify_log
from registry.releases.states import WORKING, State
from registry.releases.sweeping import sweep
from registry.releases.uploads import Claims, confirm
from registry.storage import UploadTerms
from tests.support import killed_worker
from tests.support.faulty import faulty_proxy
from tests.support.plugins import NAME
from tests.support.registries import Backend, fresh_server, plugin_archive

PLUGIN_ID = f"{NAME}_1_0_0"


def cut_off(url: str, headers: dict[str, str], body: bytes, sent: int) -> None:
    """A PUT whose connection is cut after ``sent`` bytes of its body."""
    parts = urlsplit(url)
    lines = [f"PUT {parts.path}?{parts.query} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name}: {value}" for name, value in {**headers, "Content-Length": str(len(body))}.items()]
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body[:sent])
        time.sleep(0.1)


def test_an_upload_that_was_cut_off_can_be_sent_again(publisher, archive):
    begun = publisher.begin(archive).json()
    for sent in (0, 1, len(archive) // 2, len(archive) - 1):
        cut_off(begun["presigned_url"], begun["upload_headers"], archive, sent)
        early = publisher.client.post(f"/plugins/uploads/{begun['upload_id']}/confirm")
        assert early.json()["error"]["type"] == "object_missing"
    assert publisher.put(begun, archive).status_code == 200
    assert publisher.confirm(begun["upload_id"]).json()["validation_status"] == "passed"


def test_an_upload_url_takes_what_was_announced_and_nothing_else(publisher, archive):
    begun = publisher.begin(archive).json()
    url, headers = begun["presigned_url"], begun["upload_headers"]
    altered = bytes([archive[0] ^ 1]) + archive[1:]
    assert httpx.put(url, content=altered, headers=headers, timeout=60).status_code in {400, 403}
    longer = {**headers, "Content-Length": str(len(archive) + 1)}
    assert httpx.put(url, content=archive + b"x", headers=longer, timeout=60).status_code in {400, 403}
    assert publisher.put(begun, archive).status_code == 200
    assert publisher.put(begun, archive).status_code == 412
    assert publisher.put(begun, altered).status_code in {400, 403, 412}
    assert publisher.confirm(begun["upload_id"]).json()["validation_status"] == "passed"


def test_an_expired_url_takes_nothing(server):
    terms = UploadTerms(f"uploads/ns_late/{uuid4().hex}", 1, "application/gzip", 3)
    ticket = server.registry.storage.ticket(terms)
    time.sleep(2.2)
    answer = httpx.put(ticket.url, content=b"abc", headers=ticket.headers, timeout=60)
    assert answer.status_code == 403


def test_what_was_uploaded_after_the_hash_was_taken_does_not_count(server, publisher, archive):
    """The kept copy lies where the publisher's URL does not reach."""
    begun = publisher.begin(archive).json()
    publisher.put(begun, archive)
    key = publisher.confirm(begun["upload_id"]).json()["s3_archive_url"]
    assert key.startswith("archives/")
    server.registry.storage.remove(begun["s3_key"])
    with server.registry.storage.open(key) as stream:
        assert stream.read() == archive


def test_what_nobody_confirms_expires_and_is_cleared_away(server, publisher, archive):
    begun = publisher.begin(archive).json()
    publisher.put(begun, archive)
    published = publisher.begin(archive).json()
    publisher.put(published, archive)
    kept = publisher.confirm(published["upload_id"]).json()["s3_archive_url"]
    storage, database = server.registry.storage, server.registry.database
    long_ago = now() - timedelta(days=2)
    both = [begun["upload_id"], published["upload_id"]]
    with database.write() as session:
        session.execute(update(Upload).where(Upload.upload_id.in_(both)).values(expires_at=long_ago))
    while sweep(database, storage):
        pass
    for upload in (begun, published):
        with storage.open(upload["s3_key"]) as stream:
            assert stream is None
    with storage.open(kept) as stream:
        assert stream.read() == archive
    late = publisher.client.post(f"/plugins/uploads/{begun['upload_id']}/confirm")
    assert (late.status_code, late.json()["error"]["type"]) == (400, "invalid_request")
    assert "expired" in late.json()["error"]["message"]
    assert publisher.confirm(published["upload_id"]).json()["validation_status"] == "passed"


def test_two_confirms_at_once_are_one_release(server, publisher, archive):
    begun = publisher.begin(archive).json()
    publisher.put(begun, archive)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: publisher.confirm(begun["upload_id"]).json(), range(4)))
    assert {(answer["validation_status"], answer["plugin_id"]) for answer in answers} == {("passed", PLUGIN_ID)}
    assert publisher.client.get("/plugins").json()["total"] == 1


@pytest.mark.parametrize("same", [False, True], ids=["other bytes", "same bytes"])
def test_two_publishers_of_one_version_are_one_release(server, publisher, tmp_path, same):
    first = plugin_archive(tmp_path)
    second = first if same else plugin_archive(tmp_path, helper="X = 1\n")
    rival = server.publisher(publisher.namespace)
    uploads = []
    for one, archive in ((publisher, first), (rival, second)):
        begun = one.begin(archive).json()
        one.put(begun, archive)
        uploads.append((one, begun["upload_id"]))
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda pair: pair[0].confirm(pair[1]).json(), uploads))
    assert publisher.client.get("/plugins").json()["total"] == 1
    if same:
        assert [answer["plugin_id"] for answer in answers] == [PLUGIN_ID] * 2
    else:
        assert sorted(answer["validation_status"] for answer in answers) == ["failed", "passed"]
        loser = next(answer for answer in answers if not answer["success"])
        assert "exists already" in loser["validation_errors"][0]


def test_a_server_killed_between_any_two_steps_loses_nothing(backend, tmp_path, archive):
    data = tmp_path / "data"
    with fresh_server(backend, data) as server:
        publisher = server.publisher("ns_killed")
        begun = publisher.begin(archive).json()
        publisher.put(begun, archive)
        settings = server.registry.settings
    with fresh_server(backend, data, storage_url=settings.storage_url) as server:
        server.registry.worker.close()  # the API confirms, but nobody works yet
        confirm(
            server.registry.database,
            server.registry.storage,
            ("ns_killed", begun["upload_id"]),
            Claims(None, len(archive), None, None),
        )
    names = ("public_url", "database_url", "storage_url", "s3_endpoint")
    told = json.dumps({"data": str(data)} | {name: getattr(settings, name) for name in names})
    for state in (*WORKING[1:], State.PUBLISHED):
        for when in ("before", "after"):
            if (when, state) == ("before", State.PUBLISHED):
                continue  # that step is one transaction: there is no before
            argv = [sys.executable, "-m", killed_worker.__name__, told, f"{when}:{state.value}"]
            environment = {**os.environ, "PYTHONPATH": "."}
            done = subprocess.run(argv, cwd=Path(__file__).parents[2], env=environment, check=False)
            assert done.returncode == -9, (when, state)
    with fresh_server(backend, data, storage_url=settings.storage_url) as server:
        publisher = server.publisher("ns_killed")
        answer = publisher.confirm(begun["upload_id"]).json()
        assert (answer["validation_status"], answer["plugin_id"]) == ("passed", PLUGIN_ID)
        assert publisher.client.get("/plugins").json()["total"] == 1
        with server.registry.database.read() as session:
            assert verify_log(session) is None
            kinds = [entry["kind"] for entry in newest(session, 100) if entry["subject"] == begun["upload_id"]]
        steps = ["begun", "confirmed", "stored", "read", "scanned", "proved", "published"]
        assert kinds == [f"upload.{step}" for step in steps]
    assert list((data / "scratch").iterdir()) == []


@contextmanager
def full_disk(size: int):
    """No file may grow beyond ``size``: the write fails as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_told_and_nothing_is_lost(server, publisher, tmp_path):
    archive = noisy_archive(tmp_path)
    begun = publisher.begin(archive).json()
    if server.registry.settings.storage_url is None:
        with full_disk(5 << 20):
            refused = publisher.put(begun, archive)
        assert (refused.status_code, refused.json()["error"]["type"]) == (507, "storage_full")
    assert publisher.put(begun, archive).status_code == 200
    with full_disk(5 << 20):
        waiting = publisher.client.post(f"/plugins/uploads/{begun['upload_id']}/confirm").json()
    assert waiting["validation_status"] == "pending"
    assert "goes on by itself" in waiting["message"]
    assert publisher.confirm(begun["upload_id"]).json()["validation_status"] == "passed"


def noisy_archive(folder: Path) -> bytes:
    """An archive of more than six megabytes: a font's worth of noise that no compressor shrinks."""
    from tests.support.plugins import make_plugin
    from tests.support.registries import packed

    plugin = make_plugin(folder / uuid4().hex)
    plugin.write("noise.png", b"\x89PNG\r\n\x1a\n" + random.Random(7).randbytes(6 << 20))
    return packed(plugin.root)


def test_a_database_that_goes_away_is_waited_for(request, tmp_path, archive):
    cluster = request.getfixturevalue("cluster")
    backend = Backend("postgres", cluster.create(f"away_{uuid4().hex[:12]}"))
    with fresh_server(backend, tmp_path / "data") as server:
        publisher = server.publisher()
        begun = publisher.begin(archive).json()
        publisher.put(begun, archive)
        cluster.stop()
        try:
            away = publisher.client.post(f"/plugins/uploads/{begun['upload_id']}/confirm")
            assert (away.status_code, away.json()["error"]["type"]) == (503, "unavailable")
            assert "Retry-After" in away.headers
            assert publisher.client.get("/plugins").status_code == 503
        finally:
            cluster.start()
        assert publisher.confirm(begun["upload_id"]).json()["validation_status"] == "passed"
        assert publisher.client.get("/plugins").json()["total"] == 1


@pytest.mark.parametrize("mode", ["500", "503", "slow", "closed"])
def test_an_object_store_that_fails_is_waited_for(request, tmp_path, archive, mode):
    store = request.getfixturevalue("object_store")
    parts = urlsplit(store.endpoint)
    with ExitStack() as stack:
        proxy = stack.enter_context(faulty_proxy(parts.hostname, parts.port))
        server = stack.enter_context(fresh_server(Backend("s3", None, proxy.endpoint), tmp_path / "data"))
        publisher = server.publisher()
        begun = publisher.begin(archive).json()
        publisher.put(begun, archive)
        proxy.set(mode)
        first = publisher.client.post(f"/plugins/uploads/{begun['upload_id']}/confirm")
        if mode == "slow":
            assert first.status_code == 200
        else:
            assert (first.status_code, first.json()["error"]["type"]) == (503, "unavailable")
        proxy.set("pass")
        assert publisher.confirm(begun["upload_id"]).json()["validation_status"] == "passed"
