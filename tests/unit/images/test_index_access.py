"""The index's password goes to the index and to nobody else."""

import httpx
import pytest

from images.index_access import open_client


@pytest.fixture
def sent(monkeypatch):
    monkeypatch.setenv("MIXPEEK_INDEX_URL", "https://user:hunter2@index.test/simple")
    seen = []

    def answer(request):
        seen.append((request.url.host, request.headers.get("Authorization")))
        return httpx.Response(200)

    client = open_client()
    client._transport = httpx.MockTransport(answer)
    client._mounts = {}
    client.get("https://index.test/files/a.whl")
    client.get("https://elsewhere.test/a.whl")
    client.get("http://index.test/a.whl")
    return dict(zip(["index", "elsewhere", "plain"], [header for _, header in seen], strict=True))


def test_credentials_go_to_the_index(sent):
    assert sent["index"] == "Basic dXNlcjpodW50ZXIy"


def test_and_nowhere_else(sent):
    assert sent["elsewhere"] is None
    assert sent["plain"] is None
