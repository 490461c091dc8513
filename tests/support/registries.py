"""A running registry over chosen peers, and publishers that talk to it as strangers do: over HTTP."""

from __future__ import annotations

import hashlib
import io
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
import uvicorn

from registry.access import Role
from registry.api.app import create_app
from registry.assembly import Registry, open_registry
from registry.settings import Limits, RegistrySettings
from tests.support.peers import BUCKET, free_port
from tests.support.plugins import NAME, make_plugin
from toolchain.plugin.tree import read_tree
from toolchain.publish.archive import ArchiveFile, write_archive

embedded_only = pytest.mark.parametrize("backend_kind", ["embedded"], indirect=True, scope="session")
"""For what never comes to the difference: what reads archives and records, renders pages, or runs in a sandbox."""

scaled_only = pytest.mark.parametrize("backend_kind", ["scaled"], indirect=True, scope="session")
"""For what is tried once, on a real engine, and has its own test of the same kind on the embedded backend."""

ROOMY = Limits(plugins=1_000, open_uploads=1_000, requests_per_minute=100_000, burst=10_000)


@dataclass(frozen=True)
class Backend:
    """Where a registry under test keeps its things: ``None`` means embedded."""

    name: str
    database_url: str | None = None
    s3_endpoint: str | None = None

    def settings(self, data: Path, url: str, limits: Limits = ROOMY) -> RegistrySettings:
        """Settings for a registry over this backend."""
        storage = None if self.s3_endpoint is None else f"s3://{BUCKET}/{uuid4().hex}"
        return RegistrySettings(data, url, self.database_url, storage, self.s3_endpoint, limits=limits)


@dataclass(frozen=True)
class Server:
    """A registry that serves in this process."""

    registry: Registry
    url: str
    clients: list[httpx.Client] = field(default_factory=list)

    def key(self, role: Role = Role.PUBLISHER, *namespaces: str) -> str:
        """A fresh key."""
        return self.registry.keys.create(f"test {role.value}", role, namespaces)[1]

    def publisher(self, namespace: str | None = None, role: Role = Role.PUBLISHER) -> Publisher:
        """A publisher in a namespace of its own."""
        namespace = namespace or f"ns_{uuid4().hex[:12]}"
        made = Publisher(self.url, namespace, self.key(role, namespace))
        self.clients.append(made.client)
        return made


@contextmanager
def serving(settings: RegistrySettings, port: int) -> Iterator[Server]:
    """A context with a server at ``127.0.0.1:port``."""
    with open_registry(settings) as registry:
        config = uvicorn.Config(create_app(registry), port=port, log_level="warning", timeout_graceful_shutdown=5)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        running = Server(registry, f"http://127.0.0.1:{port}")
        try:
            yield running
        finally:
            for client in running.clients:
                client.close()
            server.should_exit = True
            thread.join(30)


@contextmanager
def fresh_server(backend: Backend, data: Path, limits: Limits = ROOMY, **changes: Any) -> Iterator[Server]:
    """A server of its own for one test."""
    from dataclasses import replace

    port = free_port()
    settings = replace(backend.settings(data, f"http://127.0.0.1:{port}", limits), **changes)
    with serving(settings, port) as server:
        yield server


@dataclass
class Publisher:
    """Somebody with a key for one namespace."""

    url: str
    namespace: str
    key: str
    timeout: float = 240
    client: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        self.client = httpx.Client(
            base_url=f"{self.url}/v1/namespaces/{self.namespace}",
            headers={"Authorization": f"Bearer {self.key}"},
            timeout=self.timeout,
        )

    def begin(self, archive: bytes | None = None, **fields: Any) -> httpx.Response:
        """Announce an upload; with ``archive`` its length and checksum too."""
        body: dict[str, Any] = {"name": NAME, "version": "1.0.0"}
        if archive is not None:
            body |= {"file_size_bytes": len(archive), "checksum_sha256": hashlib.sha256(archive).hexdigest()}
        return self.client.post("/plugins/uploads", json=body | fields)

    def put(self, begun: dict[str, Any], archive: bytes) -> httpx.Response:
        """Send the archive to its URL, without a key."""
        return httpx.put(begun["presigned_url"], content=archive, headers=begun["upload_headers"], timeout=60)

    def confirm(self, upload_id: str, **fields: Any) -> httpx.Response:
        """Confirm, and ask again until there is a verdict."""
        deadline = time.monotonic() + self.timeout
        while True:
            answer = self.client.post(f"/plugins/uploads/{upload_id}/confirm", json=fields)
            pending = answer.status_code == 200 and answer.json()["validation_status"] == "pending"
            if not pending or time.monotonic() > deadline:
                return answer
            time.sleep(0.2)

    def publish(self, archive: bytes, **fields: Any) -> dict[str, Any]:
        """The whole way; what confirm answered."""
        begun = self.begin(archive, **fields)
        assert begun.status_code == 200, begun.text
        sent = self.put(begun.json(), archive)
        assert sent.status_code == 200, sent.text
        confirmed = self.confirm(begun.json()["upload_id"])
        assert confirmed.status_code == 200, confirmed.text
        return dict(confirmed.json())


def packed(root: Path) -> bytes:
    """A plugin's folder as its canonical archive."""
    files = [ArchiveFile(file.name, file.path, file.size, file.executable) for file in read_tree(root).files]
    stream = io.BytesIO()
    write_archive(root.name, files, stream, "tar.gz")
    return stream.getvalue()


def plugin_archive(folder: Path, version: str = "1.0.0", **files: str) -> bytes:
    """The archive of the minimal plugin in some version; ``files`` maps names with ``__`` for ``/`` to content."""
    plugin = make_plugin(folder / uuid4().hex)
    plugin.replace("manifest.py", '"version": "1.0.0"', f'"version": "{version}"')
    for name, content in files.items():
        plugin.write(name.replace("__", "/") + ".py", content)
    return packed(plugin.root)
