"""Deployments on a real engine: from queued to answering calls, and every way in which they fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from registry.access import Role
from tests.support.images import plugin_image
from tests.support.plugins import NAME, make_plugin
from tests.support.registries import embedded_only, fresh_server, plugin_archive, scaled_only
from toolchain.core.containers import connect, options_from_environment

pytestmark = pytest.mark.engine

PLUGIN = f"/plugins/{NAME}_1_0_0"
EXAMPLE = Path(__file__).parents[2] / "examples" / "collection.py"
HANDLER = """
class RealtimeHandler:
    def predict(self, request):
        if request.get("text") == "boom":
            raise ValueError("no such text")
        return {"embedding": [float(len(request["text"])), 1.0], "length": len(request["text"])}
"""


@pytest.fixture(scope="session", autouse=True)
def base(tmp_path_factory):
    """The base image, made once for all: what that takes on a bare machine is no deployment's delay."""
    engine = connect(options_from_environment())
    plugin_image(engine, make_plugin(tmp_path_factory.mktemp("base")))
    engine.close()


def deployed(publisher, seconds=240, **query):
    """Deploy and wait; the last status."""
    answer = publisher.client.post(f"{PLUGIN}/deploy", params=query)
    assert answer.status_code == 200, answer.text
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        stands = publisher.client.get(f"{PLUGIN}/status").json()
        if stands["status"] not in {"QUEUED", "IN_PROGRESS"}:
            return stands
        time.sleep(0.3)
    pytest.fail(f"still {stands}")


def test_a_realtime_handler_answers_calls_until_it_is_deleted(server, publisher, tmp_path):
    assert publisher.publish(plugin_archive(tmp_path, realtime=HANDLER))["validation_status"] == "passed"
    assert publisher.client.get(f"{PLUGIN}/status").json()["status"] == "NOT_DEPLOYED"
    assert publisher.client.post(f"{PLUGIN}/realtime", json={"text": "early"}).status_code == 409
    stands = deployed(publisher)
    assert stands["status"] == "DEPLOYED", stands["error"]
    assert stands["realtime_enabled"] is True
    route = f"{server.url}{stands['route_prefix']}"
    answer = publisher.client.post(route, json={"text": "four"})
    assert (answer.status_code, answer.json()) == (200, {"embedding": [4.0, 1.0], "length": 4})
    failed = publisher.client.post(route, json={"text": "boom"})
    assert (failed.status_code, failed.json()["error"]["type"]) == (422, "plugin_failed")
    assert "no such text" in failed.json()["error"]["message"]
    assert publisher.client.post(route, json={"text": "again"}).json()["length"] == 5
    assert publisher.client.get(PLUGIN).json()["plugin"]["deployed"] is True
    assert publisher.client.delete(PLUGIN).json()["deployment_removed"] is True
    assert publisher.client.post(route, json={"text": "late"}).status_code == 404


@embedded_only
def test_a_deployment_without_a_handler_fails_with_the_reason(publisher, archive):
    publisher.publish(archive)
    stands = deployed(publisher)
    assert stands["status"] == "FAILED"
    assert "no realtime.py" in stands["error"]
    assert deployed(publisher, deployment_type="batch_only")["status"] == "BATCH_ONLY"
    assert publisher.client.post(f"{PLUGIN}/deploy", params={"deployment_type": "x"}).status_code == 400


@embedded_only
def test_a_handler_that_fails_on_its_own_sample_is_not_deployed(publisher, tmp_path):
    broken = "class RealtimeHandler:\n    def predict(self, request):\n        return 1 / 0\n"
    publisher.publish(plugin_archive(tmp_path, realtime=broken))
    stands = deployed(publisher)
    assert stands["status"] == "FAILED"
    assert "ZeroDivisionError" in stands["error"]
    assert "realtime.py:3" in stands["error"]


@embedded_only
def test_approval_comes_first_where_it_is_required(backend, tmp_path):
    with fresh_server(backend, tmp_path / "data", require_approval=True) as server:
        publisher = server.publisher()
        publisher.publish(plugin_archive(tmp_path, realtime=HANDLER))
        queued = publisher.client.post(f"{PLUGIN}/deploy").json()
        assert queued["status"] == "queued"
        assert "approval" in queued["message"]
        reviewer = server.publisher(publisher.namespace, Role.REVIEWER)
        reviewer.client.post(f"{PLUGIN}/decisions", json={"verdict": "approve", "reason": "read"})
        stands = deployed(publisher)
        assert stands["status"] == "DEPLOYED", stands["error"]
        reviewer.client.post(f"{PLUGIN}/decisions", json={"verdict": "quarantine", "reason": "on second thought"})
        assert publisher.client.post(f"{PLUGIN}/realtime", json={"text": "x"}).status_code == 409
        assert publisher.client.post(f"{PLUGIN}/deploy").status_code == 409


@embedded_only
def test_a_deployment_outlives_the_server(backend, tmp_path):
    data = tmp_path / "data"
    with fresh_server(backend, data) as server:
        publisher = server.publisher("ns_lasting")
        publisher.publish(plugin_archive(tmp_path, realtime=HANDLER))
        stands = deployed(publisher)
        assert stands["status"] == "DEPLOYED", stands["error"]
        storage = server.registry.settings.storage_url
    with fresh_server(backend, data, storage_url=storage) as server:
        publisher = server.publisher("ns_lasting")
        assert publisher.client.post(f"{PLUGIN}/realtime", json={"text": "two"}).json()["length"] == 3


@scaled_only
def test_a_collection_runs_the_published_plugin_over_a_bucket(server, publisher, archive):
    publisher.publish(archive)
    bucket = server.registry.settings.data / "buckets" / publisher.namespace / "bkt_letters"
    bucket.mkdir(parents=True)
    (bucket / "rows.ndjson").write_text('{"text": "one"}\n{"text": "three"}\n')
    (bucket / "note.txt").write_text("thirteen")
    order = {
        "collection_name": "letters",
        "source": {"type": "bucket", "bucket_ids": ["bkt_letters"]},
        "feature_extractor": {
            "feature_extractor_name": NAME,
            "version": "1.0.0",
            "parameters": {"t": 0.7},
        },
    }
    created = publisher.client.post("/collections", json=order)
    assert created.status_code == 200, created.text
    path = f"/collections/{created.json()['collection_id']}"
    assert publisher.client.post("/collections", json=order).json()["error"]["type"] == "collection_exists"
    deadline = time.monotonic() + 240
    while (stands := publisher.client.get(path).json())["status"] == "PENDING" and time.monotonic() < deadline:
        time.sleep(0.3)
    assert (stands["status"], stands["rows"]) == ("COMPLETED", 3), stands["error"]
    page = publisher.client.get(f"{path}/documents", params={"limit": 2}).json()
    assert [row["vector"] for row in page["documents"]] == [[8.0, 1.0], [3.0, 1.0]]
    rest = publisher.client.get(f"{path}/documents", params={"offset": page["next_offset"]}).json()
    assert [row["object_id"] for row in rest["documents"]] == ["bkt_letters/rows.ndjson:2"]
    assert server.publisher().client.get(path).status_code == 404
    missing = order | {"collection_name": "b", "source": {"type": "bucket", "bucket_ids": ["bkt_none"]}}
    path = f"/collections/{publisher.client.post('/collections', json=missing).json()['collection_id']}"
    while (stands := publisher.client.get(path).json())["status"] == "PENDING" and time.monotonic() < deadline:
        time.sleep(0.3)
    assert "no such bucket" in stands["error"]


@embedded_only
def test_the_typed_client_makes_a_collection_as_the_example_does(server, publisher, archive):
    publisher.publish(archive)
    bucket = server.registry.settings.data / "buckets" / publisher.namespace / "bkt_speeches"
    bucket.mkdir(parents=True)
    (bucket / "speech.txt").write_text("thirteen")
    access = {"BASE_URL": server.url, "API_KEY": publisher.key, "NAMESPACE": publisher.namespace}
    environment = {**os.environ, **{f"MIXPEEK_{name}": value for name, value in access.items()}}

    def example(bucket_id):
        argv = [sys.executable, str(EXAMPLE), bucket_id, NAME, "1.0.0"]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=240, check=False)

    done = example("bkt_speeches")
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(row["object_id"], row["vector"]) for row in rows] == [("bkt_speeches/speech.txt", [8.0, 1.0])]
    refused = example("bkt_none")
    assert refused.returncode == 1
    assert "no such bucket" in refused.stderr
