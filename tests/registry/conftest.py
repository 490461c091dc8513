"""The two ways to keep a registry: embedded, and PostgreSQL with an S3. The same tests hold for both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.peers import ACCESS_KEY, SECRET_KEY, Postgres, Seaweed, postgres, seaweed
from tests.support.registries import Backend, Publisher, Server, fresh_server, plugin_archive


@pytest.fixture(scope="session")
def cluster() -> Iterator[Postgres]:
    with postgres() as running:
        yield running


@pytest.fixture(scope="session")
def object_store() -> Iterator[Seaweed]:
    keys = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}
    names = keys | {"AWS_DEFAULT_REGION": "us-east-1"}
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(names)
    with seaweed() as running:
        yield running
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value


@pytest.fixture(scope="session", params=["embedded", "scaled"])
def backend_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def backend(backend_kind: str, request: pytest.FixtureRequest) -> Backend:
    """A backend with an empty database."""
    return new_backend(backend_kind, request)


@pytest.fixture(scope="session")
def server(
    backend_kind: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for every test that does not break it; each works in a namespace of its own."""
    with fresh_server(new_backend(backend_kind, request), tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def publisher(server: Server) -> Publisher:
    return server.publisher()


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    """The archive of a plugin that passes."""
    return plugin_archive(tmp_path)


def new_backend(kind: str, request: pytest.FixtureRequest) -> Backend:
    if kind == "embedded":
        return Backend(kind)
    cluster: Postgres = request.getfixturevalue("cluster")
    store: Seaweed = request.getfixturevalue("object_store")
    return Backend(kind, cluster.create(f"registry_{uuid4().hex[:12]}"), store.endpoint)
