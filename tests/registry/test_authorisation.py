"""Route by route: who may not, may not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets

import httpx
import pytest

from registry.access import Role
from tests.support.plugins import NAME
from tests.support.registries import Server

PLUGIN_ID = f"{NAME}_1_0_0"
UPLOAD = "plu_" + "0" * 32
COLLECTION = "col_" + "0" * 32
BEGIN = {"name": NAME, "version": "1.0.0"}
DECISION = {"verdict": "approve", "reason": "mine"}
ORDER = {
    "collection_name": "c",
    "source": {"type": "bucket", "bucket_ids": ["bkt_x"]},
    "feature_extractor": {"feature_extractor_name": NAME, "version": "1.0.0"},
}
P, R = Role.PUBLISHER, Role.REVIEWER
ROUTES = [
    ("POST", "/plugins/uploads", BEGIN, {P}),
    ("POST", f"/plugins/uploads/{UPLOAD}/confirm", {}, {P}),
    ("GET", "/plugins", None, {P, R}),
    ("GET", f"/plugins/{PLUGIN_ID}", None, {P, R}),
    ("DELETE", f"/plugins/{PLUGIN_ID}", None, {P}),
    ("POST", f"/plugins/{PLUGIN_ID}/deploy", None, {P}),
    ("GET", f"/plugins/{PLUGIN_ID}/status", None, {P, R}),
    ("POST", f"/plugins/{PLUGIN_ID}/realtime", {}, {P, R}),
    ("POST", f"/plugins/{PLUGIN_ID}/decisions", DECISION, {R}),
    ("POST", "/collections", ORDER, {P}),
    ("GET", f"/collections/{COLLECTION}", None, {P, R}),
    ("GET", f"/collections/{COLLECTION}/documents", None, {P, R}),
]


def call(server: Server, key: str | None, method: str, path: str, body: object) -> httpx.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.request(
        method, f"{server.url}/v1/namespaces/ns_walls{path}", json=body, headers=headers, timeout=60
    )


def test_every_route_of_the_api_is_in_the_table(server):
    document = httpx.get(f"{server.url}/openapi.json", timeout=60).json()
    kept = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    prefix = "/v1/namespaces/{namespace_id}"
    names = {PLUGIN_ID: "{plugin_id}", UPLOAD: "{upload_id}", COLLECTION: "{collection_id}"}
    table = set()
    for method, route, _, _ in ROUTES:
        parts = (names.get(part, part) for part in route.split("/"))
        table.add((method, prefix + "/".join(parts)))
    assert kept - table == {("PUT", "/storage/uploads/{token}")}
    assert table <= kept


@pytest.fixture(scope="module")
def intruders(server):
    """Keys that open nothing in ``ns_walls``."""
    keys = server.registry.keys
    key_id, revoked = keys.create("gone", Role.ADMIN, ["ns_walls"])
    keys.revoke(key_id)
    return {
        "none": (None, 401),
        "guessed": (f"sk_{secrets.token_urlsafe(32)}", 401),
        "revoked": (revoked, 401),
        "another namespace's publisher": (keys.create("p", P, ["ns_other"])[1], 403),
        "another namespace's admin": (keys.create("a", Role.ADMIN, ["ns_other"])[1], 403),
        "a name that begins alike": (keys.create("n", P, ["ns_wall", "ns_walls2"])[1], 403),
    }


@pytest.mark.parametrize("who", ["none", "guessed", "revoked", "another namespace's publisher",
                                 "another namespace's admin", "a name that begins alike"])  # fmt: skip
def test_strangers_pass_no_route(server, intruders, who):
    key, status = intruders[who]
    for method, path, body, _ in ROUTES:
        answer = call(server, key, method, path, body)
        if answer.status_code == 429 and status == 401:
            continue  # whoever fails often is slowed down before being told anything
        assert answer.status_code == status, (method, path, answer.text)
        assert answer.json()["error"]["type"] in {"unauthorized", "forbidden"}


@pytest.mark.parametrize("role", [P, R], ids=lambda role: role.value)
def test_a_role_passes_its_own_routes_alone(server, role):
    key = server.key(role, "ns_walls")
    for method, path, body, roles in ROUTES:
        answer = call(server, key, method, path, body)
        if role in roles:
            assert answer.status_code in {200, 404}, (method, path, answer.text)
        else:
            assert answer.status_code == 403, (method, path, answer.text)
            assert role.value in answer.json()["error"]["message"]


def test_ids_of_another_namespace_are_not_found(server, archive):
    owner, other = server.publisher(), server.publisher()
    begun = owner.begin(archive).json()
    owner.put(begun, archive)
    stolen = other.client.post(f"/plugins/uploads/{begun['upload_id']}/confirm")
    unknown = other.client.post(f"/plugins/uploads/{UPLOAD}/confirm")
    assert stolen.status_code == unknown.status_code == 404
    assert stolen.json() == unknown.json()
    owner.confirm(begun["upload_id"])
    for path in (f"/plugins/{PLUGIN_ID}", f"/plugins/{PLUGIN_ID}/status", f"/plugins/{PLUGIN_ID.upper()}"):
        assert other.client.get(path).status_code == 404
    assert other.client.delete(f"/plugins/{PLUGIN_ID}").status_code == 404
    assert owner.client.get(f"/plugins/{PLUGIN_ID}").status_code == 200


@pytest.mark.parametrize("name", ["..", "%2e%2e", "a%00b", "ns%2Fwalls", "n" * 200, "%ff", "😀"])
def test_strange_namespaces_are_no_way_around(server, name):
    headers = {"Authorization": f"Bearer {server.key(P, '*')}"}
    answer = httpx.get(f"{server.url}/v1/namespaces/{name}/plugins", headers=headers, timeout=60)
    assert answer.status_code == 404


def forged(token: str) -> list[str]:
    """Tokens made of a good one, none of them signed by the registry."""
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    signature, terms = raw[:32], json.loads(raw[32:])
    moved = json.dumps({**terms, "key": "archives/aa/" + "a" * 64}, sort_keys=True).encode()
    prolonged = json.dumps({**terms, "ends": terms["ends"] + 10**6}, sort_keys=True).encode()
    own = hmac.new(b"", b"mixpeek upload token 1\0" + moved, hashlib.sha256).digest()
    forms = [signature + moved, signature + prolonged, own + moved, raw[:-1], b"", b"\0" * 32, raw[32:]]
    return [base64.urlsafe_b64encode(form).decode().rstrip("=") or "-" for form in forms] + [
        "%ff",
        "ä",
        "x" * 4000,
    ]


def test_forged_upload_tokens_open_nothing(server, publisher, archive):
    url = publisher.begin(archive).json()["presigned_url"]
    base, _, token = url.rpartition("/")
    if "/storage/uploads" not in url:  # an S3's own signature: another key under the same one
        other = url.replace("uploads/", "archives/", 1)
        assert httpx.put(other, content=archive, timeout=60).status_code == 403
        return
    for fake in forged(token):
        answer = httpx.put(f"{base}/{fake}", content=archive, timeout=60)
        assert answer.status_code == 403, (fake, answer.text)
        assert answer.json()["error"]["type"] == "upload_refused"


def test_whoever_guesses_keys_is_slowed_down(backend, tmp_path):
    from tests.support.registries import fresh_server

    with fresh_server(backend, tmp_path / "data") as server:
        # More than the burst of 30: a slow machine earns some calls back meanwhile.
        answers = (call(server, "sk_guess", "GET", "/plugins", None) for _ in range(200))
        slowed = next(answer for answer in answers if answer.status_code == 429)
        assert int(slowed.headers["Retry-After"]) >= 1
        assert call(server, server.key(P, "ns_walls"), "GET", "/plugins", None).status_code == 200


def test_keys_are_not_kept(server):
    key = server.key(P, "ns_hidden")
    from sqlalchemy import select

    from registry.database.models import Key

    with server.registry.database.read() as session:
        rows = [repr(vars(row)) for row in session.scalars(select(Key))]
    assert not any(key in row or key[3:] in row for row in rows)
    assert any(hashlib.sha256(key.encode()).hexdigest() in row for row in rows)
