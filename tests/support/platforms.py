"""A platform on this machine that speaks only the documented fields, and misbehaves on request."""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "sk_test_0123456789abcdef"
NAMESPACE = "ns_tests"
ROOT = f"/v1/namespaces/{NAMESPACE}"
HOUR = 3600


class Gone(Exception):
    """The connection is to be closed without an answer."""


@dataclass
class Seen:
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """What the platform knows and how it behaves.

    ``faults`` maps a step (``begin``, ``put``, ``confirm``, ``get``, ``deploy``, ``status``, ``list``, ``delete``)
    to what happens on its next calls: an HTTP status, ``close`` (no answer), ``done-close`` (done, but no answer),
    ``cut:N`` (closes after N bytes of the body), ``slow`` (half a second), or a ``(status, headers, body)``.
    """

    url: str = ""
    faults: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    seen: list[Seen] = field(default_factory=list)
    uploads: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    plugins: dict[str, dict[str, Any]] = field(default_factory=dict)
    refusal: Any = None
    statuses: list[str] = field(default_factory=lambda: ["QUEUED", "IN_PROGRESS", "DEPLOYED"])
    begin_answer: dict[str, Any] = field(default_factory=dict)
    confirm_answer: dict[str, Any] = field(default_factory=dict)
    plugin_answer: dict[str, Any] = field(default_factory=dict)
    status_answer: dict[str, Any] = field(default_factory=dict)
    tells_digest: bool = True
    signed: str = "host;content-length;content-type"
    only_documented: bool = False
    redirect_put_to: str | None = None
    collections: list[dict[str, Any]] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def calls(self, method: str, ending: str = "") -> list[Seen]:
        """The requests of one method whose path ends so."""
        return [seen for seen in self.seen if seen.method == method and urlsplit(seen.path).path.endswith(ending)]


@contextmanager
def platform_server() -> Iterator[Server]:
    """A running platform; it is gone at the end."""
    state = Server()

    class Handler(_Handler):
        server_state = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


# Told, or a client may send its next request into a connection that is about to close.
_CLOSES = {"Connection": "close"}


class _Handler(BaseHTTPRequestHandler):
    server_state: Server
    protocol_version = "HTTP/1.1"
    timeout = 5

    def log_message(self, *_: Any) -> None:
        """Nothing: a test reads ``Server.seen``."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def _serve(self) -> None:
        state = self.server_state
        step = self._step()
        fault = None
        with state.lock:
            if state.faults[step]:
                fault = state.faults[step].pop(0)
        try:
            body = self._body(fault)
            state.seen.append(Seen(self.command, self.path, dict(self.headers.items()), body))
            self._fail(fault)
            with state.lock:
                answer = self._answer(step, body)
            if fault == "done-close":
                raise Gone
            self._send(*answer)
        except Gone:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(2)

    def _step(self) -> str:
        path = urlsplit(self.path).path
        if path.startswith("/store/"):
            return "put"
        for ending, step in (
            ("/confirm", "confirm"),
            ("/uploads", "begin"),
            ("/deploy", "deploy"),
            ("/status", "status"),
        ):
            if path.endswith(ending):
                return step
        if path.endswith("/extractors"):
            return "extractors"
        if "/collections" in path:
            return "collections"
        if path.endswith("/plugins"):
            return "list"
        return "delete" if self.command == "DELETE" else "get"

    def _body(self, fault: Any) -> bytes:
        assert "Transfer-Encoding" not in self.headers, "the length must be told"
        size = int(self.headers.get("Content-Length") or 0)
        if isinstance(fault, str) and fault.startswith("cut:"):
            self.rfile.read(min(size, int(fault[4:])))
            raise Gone
        return self.rfile.read(size)

    def _fail(self, fault: Any) -> None:
        if fault == "close":
            raise Gone
        if fault == "slow":
            time.sleep(0.5)
        if isinstance(fault, int):
            error = {"message": "out of order", "type": "x"}
            self._send(fault, {"success": False, "status": fault, "error": error}, _CLOSES)
            raise _Answered
        if isinstance(fault, tuple):
            self._send(fault[0], fault[2], {**_CLOSES, **fault[1]})
            raise _Answered

    def _answer(self, step: str, body: bytes) -> tuple[Any, ...]:
        state = self.server_state
        if step != "put" and self.headers.get("Authorization") != f"Bearer {KEY}":
            return 401, _error("the key is not known")
        handler = getattr(self, f"_{step}")
        document = json.loads(body) if body and step != "put" else {}
        answer: tuple[Any, ...] = handler(body if step == "put" else document)
        assert state is not None
        return answer

    def _begin(self, body: dict[str, Any]) -> tuple[Any, ...]:
        state = self.server_state
        documented = {"name", "version", "description", "file_size_bytes", "presigned_url_expiration"}
        if state.only_documented and (extra := set(body) - documented):
            return 422, {
                "detail": [{"loc": ["body", name], "msg": "extra fields not permitted"} for name in extra]
            }
        plugin = _id(body)
        if plugin in state.plugins:
            return 409, _error(f"{plugin} exists")
        upload = f"plu_{len(state.uploads) + 1:04}"
        state.uploads[upload] = body
        key = f"{plugin}/{upload}"
        expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + HOUR))
        signed = state.signed.replace(";", "%3B")
        url = f"{state.url}/store/{key}?X-Amz-SignedHeaders={signed}&X-Amz-Signature=secret"
        return 200, {
            "upload_id": upload, "presigned_url": url, "s3_key": key, "expires_at": expires,
            "namespace_id": NAMESPACE, "name": body["name"], "version": body["version"], **state.begin_answer,
        }  # fmt: skip

    def _put(self, body: bytes) -> tuple[Any, ...]:
        state = self.server_state
        assert "Authorization" not in self.headers, "the API key must not reach the store"
        parts = urlsplit(self.path)
        key = parts.path.removeprefix("/store/")
        if state.redirect_put_to and "again" not in parts.query:
            target = f"{state.redirect_put_to}{parts.path}?{parts.query}&again=1"
            return 307, {}, {"Location": target}
        signed = parse_qs(parts.query)["X-Amz-SignedHeaders"][0].split(";")
        if missing := [name for name in signed if name not in {k.lower() for k in self.headers}]:
            return 403, f"<Error><Code>SignatureDoesNotMatch</Code><Message>{missing}</Message></Error>"
        if key in state.objects and self.headers.get("If-None-Match") == "*":
            return 412, "<Error><Code>PreconditionFailed</Code></Error>"
        state.objects[key] = body
        return 200, "", {"ETag": '"etag"'}

    def _confirm(self, body: dict[str, Any]) -> tuple[Any, ...]:
        state = self.server_state
        upload = urlsplit(self.path).path.split("/")[-2]
        if upload not in state.uploads:
            return 400, _error("the upload is not valid or has expired")
        begun = state.uploads[upload]
        plugin = _id(begun)
        data = state.objects.get(f"{plugin}/{upload}")
        if data is None:
            return 404, _error("the object is missing")
        if len(data) != body.get("file_size_bytes", len(data)):
            return 400, _error("the object has another size")
        if state.refusal is not None:
            return state.refusal
        import hashlib

        del state.uploads[upload]
        digest = hashlib.sha256(data).hexdigest()
        state.plugins[plugin] = {
            "plugin_id": plugin, "name": begun["name"], "version": begun["version"], "deployed": False,
            "description": begun.get("description"), "validation_status": "passed", "created_at": "2026-01-01",
            "feature_uri": f"mixpeek://{begun['name']}@{begun['version']}", "updated_at": "2026-01-01",
            **({"code_hash": digest} if state.tells_digest else {}), **state.plugin_answer,
        }  # fmt: skip
        return 200, {
            "success": True, "upload_id": upload, "plugin_id": plugin, "validation_status": "passed",
            "validation_errors": [], "deployment_status": "not_deployed", "message": "confirmed",
            "feature_uri": state.plugins[plugin]["feature_uri"], "s3_archive_url": "s3://x",
            **state.confirm_answer,
        }  # fmt: skip

    def _get(self, _: Any) -> tuple[Any, ...]:
        found = self.server_state.plugins.get(self._named())
        return (404, _error("no such plugin")) if found is None else (200, {"success": True, "plugin": found})

    def _list(self, _: Any) -> tuple[Any, ...]:
        query = parse_qs(urlsplit(self.path).query)
        start = int(query.get("offset", ["0"])[0])
        listed = list(self.server_state.plugins.values())
        page = {"success": True, "plugins": listed[start : start + 100], "total": len(listed)}
        return 200, {**page, "namespace_id": NAMESPACE}

    def _extractors(self, _: Any) -> tuple[Any, ...]:
        extractor = {"feature_extractor_name": "text", "version": "v1", "feature_extractor_id": "text_v1"}
        return 200, {"extractors": [{**extractor, "source": "builtin"}], "total": 1, "builtin_count": 1}

    def _delete(self, _: Any) -> tuple[Any, ...]:
        found = self.server_state.plugins.pop(self._named(), None)
        if found is None:
            return 404, _error("no such plugin")
        return 200, {"plugin_id": found["plugin_id"], "message": "deleted", "deployment_removed": True}

    def _deploy(self, _: Any) -> tuple[Any, ...]:
        plugin = urlsplit(self.path).path.split("/")[-2]
        if plugin not in self.server_state.plugins:
            return 404, _error("no such plugin")
        batch = "batch_only" in self.path
        return 200, {"status": "batch_only" if batch else "queued", "message": "ok", "queue_position": 1}

    def _status(self, _: Any) -> tuple[Any, ...]:
        statuses = self.server_state.statuses
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        error = "no room" if status == "FAILED" else None
        return 200, {"status": status, "error": error, "route_prefix": "/r"} | self.server_state.status_answer

    def _collections(self, _: Any) -> tuple[Any, ...]:
        rows, parts = self.server_state.collections, urlsplit(self.path)
        if rows is None and parts.path != "/v1/collections":
            return 404, _error("no such endpoint")
        if not parts.path.endswith("/documents"):
            return 200, {"collection_id": "col_1", "collection_name": "c", "status": "COMPLETED"}
        start = int(parse_qs(parts.query)["offset"][0])
        end = start + int(parse_qs(parts.query)["limit"][0])
        assert rows is not None
        return 200, {
            "documents": rows[start:end],
            "total": len(rows),
            "next_offset": end if end < len(rows) else None,
        }

    def _named(self) -> str:
        return urlsplit(self.path).path.rpartition("/")[2]

    def _send(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)


class _Answered(Gone):
    """An answer was sent already; the connection is closed all the same."""


def _id(body: dict[str, Any]) -> str:
    return f"{body['name']}_{body['version'].replace('.', '_')}"


def _error(message: str) -> dict[str, Any]:
    return {"success": False, "status": 400, "error": {"message": message, "type": "refused", "details": {}}}
